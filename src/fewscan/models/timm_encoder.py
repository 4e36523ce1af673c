"""Encoders from timm (Wightman 2019, "PyTorch image models"): an extra, imported only where a run asks for a model of it."""

from collections.abc import Mapping
from typing import Any

import pydantic
import pydantic_core
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from fewscan.config import nearest
from fewscan.errors import FewscanError
from fewscan.models.encoder import Encoder, EncoderSettings
from fewscan.models.origin import KnownWeights, Origin, Weights
from fewscan.models.standardize import standardized
from fewscan.progress import say
from fewscan.wording import one_line

# What timm's models raise, while they are built or in use, where they do not take images of a size.
UNFIT = (AssertionError, IndexError, RuntimeError, TypeError, ValueError, ZeroDivisionError)


_PREFIX = "timm:"
FETCHED = "timm"  # the name of the weights that timm fetches: the one setting that fetches anything


class TimmSettings(EncoderSettings):
    """Settings of `timm:NAME`, timm's model NAME."""

    name: str

    @pydantic.field_validator("name")
    @classmethod
    def _names_a_model(cls, name: str) -> str:
        if name.startswith(_PREFIX) and name != _PREFIX:
            return name
        raise pydantic_core.PydanticCustomError("unknown_encoder", "it does not name a timm model; did you mean 'timm:NAME'?")

    @property
    def model(self) -> str:
        """What timm calls the model."""
        return self.name.removeprefix(_PREFIX)


class TimmEncoder(Encoder):
    """A model of timm without its classifier: every image standardized, then its pooled features.

    timm's weights expect color images whose channels have mean 0 and deviation 1 over their data set. Standardizing each scan
    by itself puts it on that scale, whatever its scanner, and needs no statistics of ours. For gray scans timm sums the first
    layer's weights over the colors: what it would compute were the scan in all three channels.
    """

    name = "timm"
    summary = "timm:NAME, the model NAME of timm (an extra), with random weights or those that timm downloads"
    settings_type = TimmSettings
    packages = ("timm",)
    known_weights = (
        KnownWeights(
            name=FETCHED,
            summary="those that timm downloads for the model from huggingface.co",
            license="differs by model",
            megabytes=None,
            input_px=None,
            package="timm",
            extra="timm",
        ),
    )

    def __init__(self, settings: TimmSettings, channels: int, image_size_px: int) -> None:
        """Make timm's model for images (B, channels, image_size_px, image_size_px).

        Nothing is fetched for it. Raises FewscanError where timm is not installed or does not import, has no such model, or has
        one that does not take such images.
        """
        super().__init__(settings, channels, image_size_px)
        name = settings.model
        timm = _imported_timm(name)
        self._options = _options(timm, name, channels, image_size_px)
        try:
            self.model: nn.Module = timm.create_model(name, **self._options)
            self.feature_dim = _feature_dim(self.model, channels, image_size_px)
        except UNFIT as error:
            raise FewscanError(
                f"encoder 'timm:{name}' cannot be built for images of {image_size_px} px with {channels} "
                f"channel{'s' if channels > 1 else ''} ({one_line(error)}): choose another model, or import the scans with "
                "another --size"
            ) from None

    def forward(self, images: Tensor) -> Tensor:
        """Return h, (B, feature_dim)."""
        features: Tensor = self.model(standardized(images))
        return features

    def get_weights(self, name: str) -> Weights:
        """Return the weights that timm fetches for its model, unless they lie in its cache."""
        if name != FETCHED:
            return super().get_weights(name)
        model = self.settings.model
        say(f"timm:{model}: timm downloads its weights unless they are already in its cache")
        fetched = _fetched_model(_imported_timm(model), model, self._options)
        about = getattr(fetched, "pretrained_cfg", {})
        source = about.get("hf_hub_id") or about.get("url") or about.get("file") or model
        # timm says here whose data the weights are of, where it knows.
        origin = Origin(
            kind="fetched",
            source=f"timm {self.settings.model} ({str(source).rsplit('/', 1)[-1]})",
            license=about.get("license"),
            learned_from=about.get("dataset"),
        )
        return Weights({f"model.{key}": value for key, value in fetched.state_dict().items()}, origin)

    def own_names(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return timm's own tensors under the encoder's names, the classifier left out."""
        if any(name.startswith("model.") for name in tensors):
            return tensors
        classifiers = getattr(self.model, "pretrained_cfg", {}).get("classifier", ())
        classifiers = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers or ())
        left_out = tuple(f"{classifier}." for classifier in classifiers)
        return {f"model.{name}": value for name, value in tensors.items() if not name.startswith(left_out)}


def _imported_timm(name: str) -> Any:
    try:
        import timm
    # timm imports torchvision, and one that was built for another torch raises any of these.
    except (ImportError, RuntimeError, AttributeError) as error:
        raise FewscanError(
            f"encoder 'timm:{name}' needs timm, which cannot be imported ({one_line(error)}): "
            "pip install 'fewscan[timm]', with a torchvision that was built for the installed torch"
        ) from None
    return timm


def _options(timm: Any, name: str, channels: int, image_size_px: int) -> dict[str, int]:
    """Return what timm is to be told of a model besides its name; raises FewscanError where there is no such model."""
    names = {*timm.list_models(), *timm.list_models(include_tags=True)}
    if name not in names:
        raise FewscanError(f"timm has no model '{name}': {nearest(name, names)}")
    options = {"in_chans": channels, "num_classes": 0}
    known = timm.get_pretrained_cfg(name)
    # timm's word for a model that is built for images of one size: only such a one may be told which.
    if known is not None and known.fixed_input_size:
        options["img_size"] = image_size_px
    return options


def _feature_dim(model: nn.Module, channels: int, image_size_px: int) -> int:
    """Return D of a model's features (B, D), by a look at a blank image; raises one of UNFIT where it does not fit."""
    # Patches that do not divide the image leave a margin of it unseen, without a word.
    patch_px = getattr(getattr(model, "patch_embed", None), "patch_size", None)
    if isinstance(patch_px, tuple) and any(image_size_px % side for side in patch_px):
        raise ValueError(f"its patches of {' x '.join(str(side) for side in patch_px)} px do not divide them")
    with torch.no_grad():
        features = model.eval()(torch.zeros(1, channels, image_size_px, image_size_px))
    model.train()
    if not isinstance(features, Tensor) or features.ndim != 2:
        raise TypeError("it gives no pooled features")
    return features.shape[1]


def _fetched_model(timm: Any, name: str, options: dict[str, int]) -> nn.Module:
    # timm fetches with this; a connection that breaks off is an error of its own, no OSError.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined, unused-ignore]  # it re-exports

    try:
        model: nn.Module = timm.create_model(name, pretrained=True, **options)
    except (OSError, RuntimeError, ValueError, HTTPError, SafetensorError) as error:
        raise FewscanError(
            f"the weights of 'timm:{name}' cannot be downloaded ({one_line(error)}): check the connection to huggingface.co, "
            "or download them on another machine and copy its cache here (the folder that HF_HOME names), or leave out "
            "encoder.weights=timm to start from random weights"
        ) from None
    return model
