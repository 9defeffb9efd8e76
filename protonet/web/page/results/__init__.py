"""The results of a trained net on its page, with a module for each form of data set.

``chosen`` has the table of modules by form. Each module has ``test_one(place)``, which adds the
form of one image and its answer, and ``test_many(place)``, for many images with their truths;
``place`` (``panel.Place``) has the site, the job, its run and the selection of the snapshot. What
they show is computed in ``jobs/inference`` and ``jobs/evaluation``, and the routes of
``web/results`` return it too.
"""
