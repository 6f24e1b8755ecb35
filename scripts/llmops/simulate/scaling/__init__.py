"""What autoscalers do with traffic: the controllers' arithmetic over servers that queue, decode and start slowly."""
