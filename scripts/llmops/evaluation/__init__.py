"""What was measured of a served model, as one file, and what two such files say of each other."""
