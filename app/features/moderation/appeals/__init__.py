"""Appeals: a member contests a case; somebody who was not involved decides."""
