"""What a person does with networks, a room for each; a room imports only those named before it.

- ``run``: a run directory: its settings, its record, its files and how they travel.
- ``definitions``: what a person gave, made into the nets and the solver that are built.
- ``checks``: what is asked of nets and databases before anything is allocated or trained.
- ``training``: a training: begun from a pasted network or a solver file, resumed, and its loop.
- ``tasks``: what is done in a process of its own, and how a program tells of an error.
- ``inference``: a trained net is opened, and asked about images or looked into.
- ``evaluation``: how good a trained net is: outputs over a data set, figures of classes, vectors.
- ``profiling``: where the time of a net goes, and what the machine could do.
"""
