"""The results of a trained net on its page, with a module for each form of data set.

``chosen`` has the table of modules by form. Each module has ``test_one(place)``, which adds the
form of one image and its answer; ``MANY``, what the form of many images asks for; and
``show(found)``, which adds the predictions on them. ``place`` (``panel.Place``) has the site, the
job, its run and the selection of the snapshot. What they show is computed in ``jobs/inference`` and
``jobs/predictions``, and the routes of ``web/results`` return it too.
"""
