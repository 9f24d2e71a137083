"""A frame's way from camera to screen: capture, preprocess, engine, postprocess, overlay, sinks."""
