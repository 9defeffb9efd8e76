"""What users do with networks, a package for each; a package imports only those listed before it.

- ``run``: run directories: settings, record, files, archives.
- ``definitions``: the nets and the solver that are built from the user's definitions.
- ``reading``: networks from what users give: prototxt, Lua texts, .t7 files.
- ``checks``: checks of nets and databases before anything is allocated or trained.
- ``training``: start a training from a pasted network or a solver file, resume it; its loop.
- ``inference``: open a trained net and predict, or inspect its activations.
- ``detection``: the objects that a detector finds in image files, and pictures of them.
- ``evaluation``: evaluate a trained net: outputs over a data set, metrics of classes and vectors.
- ``comparison``: compare runs: the settings that differ, the best values.
- ``predictions``: predictions on many images with their truths, kept in files: wrong ones first.
- ``quantization``: quantize a trained net: ranges of its blobs, its answers beside float32.
- ``profiling``: profile a net, and compare it with the machine's peak rates.
- ``tasks``: tasks of worker processes, and how errors are reported.
"""
