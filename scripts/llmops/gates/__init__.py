"""What decides about a canary: pure arithmetic from counts to a verdict. No network, no clock, nothing remembered."""
