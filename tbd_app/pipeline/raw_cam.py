"""The library's Grad-CAM in logits, not scaled for each picture; a module of its own, for the library takes 165 MiB."""

from __future__ import annotations

import numpy as np
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget as ClassifierOutputTarget


class RawGradCAM(GradCAM):
    """Grad-CAM without the library's min-max scaling per image, which paints a blob even without evidence."""

    def compute_cam_per_layer(self, input_tensor, targets, eigen_smooth):
        """Maps of the one layer; the library's own scales them here."""
        if not self.activations_and_grads.gradients:
            raise RuntimeError("no gradient reached the layer of Grad-CAM")
        # NumPy has no bfloat16, in which towers are held.
        activation = self.activations_and_grads.activations[0].float().numpy()
        gradient = self.activations_and_grads.gradients[0].float().numpy()
        layer = self.target_layers[0]
        cam = self.get_cam_image(input_tensor, layer, targets, activation, gradient, eigen_smooth)
        # The library averages the gradient over the cells; summed, the unit is the logit for any grid.
        return np.maximum(cam, 0) * np.prod(gradient.shape[-2:])

    def aggregate_multi_layers(self, cam_per_target_layer):
        """The maps of the one layer as they are."""
        return cam_per_target_layer.astype(np.float32)
