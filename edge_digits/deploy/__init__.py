"""From a model to a device: the bundle, our packages as wheels, and the way there over ssh."""
