"""Drawing what the network sees onto the frame: colours, outlines, legend, head-up display."""
