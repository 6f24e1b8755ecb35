"""What a cluster would do, tried out with numbers instead of servers, before anyone deploys."""
