"""Question -> answer. Pure: both clocks are arguments; never imports the registry."""
