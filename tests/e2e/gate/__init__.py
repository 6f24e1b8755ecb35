"""The gate on a live cluster: who is answered, and what the controller makes of answers that are not the gate's."""
