"""Evaluation of a trained net: outputs over a data set, metrics of classes and of vectors."""
