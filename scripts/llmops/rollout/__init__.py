"""Why a rollout stands where it stands: its objects as the cluster has them, put into words."""
