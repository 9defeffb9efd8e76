"""Array mathematics that several layers share, on plain arrays.

Every function takes the array module ``xp`` (numpy or cupy) first, writes into the arrays it is
given and allocates none.
"""
