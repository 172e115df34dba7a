"""Studies: a published result re-run beside the figure of its paper; `spectrum` is the main job."""
