"""Theme `scaling`: will the autoscaler move, in the right direction, and alone?"""
