"""How good a trained net is: outputs over a data set, figures of classes and of vectors."""
