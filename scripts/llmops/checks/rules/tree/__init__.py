"""Theme `tree`: what releases that are checked in one run render alike, though only one of them can have it."""
