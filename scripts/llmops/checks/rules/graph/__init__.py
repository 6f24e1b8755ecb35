"""Theme `graph`: do the objects of a release find each other?

What a release does not render may be somebody else's. So a reference is a finding only where the release itself
shows that it meant one of its own: by a name that is nearly right, or by being the one that fills the place.
"""
