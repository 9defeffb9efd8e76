"""What a person does with networks, a room for each: definitions, checks, run, training, inference,
evaluation, profiling.
"""
