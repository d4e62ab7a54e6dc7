"""Floor 6: the checks of an installation that `kswifi doctor` prints on one screen."""
