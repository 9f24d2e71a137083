"""What every registered network owes; a new one is tested by being registered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.nn import functional as F

from rtseg.classes import ClassSet
from rtseg.errors import ConfigError, InputSizeError
from rtseg.networks import MAIN, NETWORKS, SegmentationNetwork, build_network, padded_hw
from rtseg.networks.batch_norm import fold_batch_norm
from rtseg.networks.counting import count_registered
from rtseg.networks.families import lightest_of_each_family
from rtseg.networks.trained import ModelCard, load_trained, save_trained

K = 5
HEAVY = 60e6  # parameters from which all tests that compute are left to `-m slow`
NUM_COMPILED = 1  # families whose lightest variant is compiled by default; it takes long

PRE_ACTIVATION = ("fc-densenet-",)  # whose normalisations stand before the convolutions

CEIL_MODE_AT = {"max_pool2d": 5, "avg_pool2d": 4}

LIGHTEST = lightest_of_each_family()


def slow_unless(quick: Callable[[str], bool], names: Iterable[str]) -> list[object]:
    return [name if quick(name) else pytest.param(name, marks=pytest.mark.slow) for name in names]


def computes_quickly(name: str) -> bool:
    return name in LIGHTEST and NETWORKS[name].card.parameters <= HEAVY


def compiles_quickly(name: str) -> bool:
    by_cost = sorted(LIGHTEST, key=lambda each: NETWORKS[each].card.gmacs)
    return name in by_cost[:NUM_COMPILED]


by_family = pytest.mark.parametrize(
    "name", slow_unless(LIGHTEST.__contains__, NETWORKS), scope="module"
)
by_weight = pytest.mark.parametrize("name", slow_unless(computes_quickly, NETWORKS), scope="module")


@lru_cache(maxsize=1)
def kept_on_meta(name: str) -> SegmentationNetwork:
    with torch.device("meta"):
        return build_network(name, K).eval()


def on_meta(name: str) -> SegmentationNetwork:
    """Return a network without weights, the caller's own: drawing none takes longer than a copy."""
    return deepcopy(kept_on_meta(name))


def small_hw(network: SegmentationNetwork) -> tuple[int, int]:
    return padded_hw((64, 96), network.size_multiple, network.min_size)


def pictures(network: SegmentationNetwork, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, *small_hw(network), generator=generator)


def shake_batch_norm(network: nn.Module) -> None:
    """Make every normalisation one that matters, as training would."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.6, 1.4)
            nn.init.uniform_(module.weight, 0.6, 1.4)
            nn.init.uniform_(module.bias, -0.2, 0.2)


@pytest.fixture(scope="module", params=list(NETWORKS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def newborn(name: str) -> SegmentationNetwork:
    """A network with its first weights, of the tests in common: not to be changed."""
    torch.manual_seed(0)
    return build_network(name, K)


@pytest.fixture
def network(newborn: SegmentationNetwork) -> SegmentationNetwork:
    """The same, the test's own."""
    return deepcopy(newborn)


@pytest.fixture(scope="module")
def deployed(newborn: SegmentationNetwork) -> SegmentationNetwork:
    return deepcopy(newborn).remove_training_heads().eval()


@pytest.fixture(scope="module")
def exported(deployed: SegmentationNetwork) -> ExportedProgram:
    return torch.export.export(deployed, (pictures(deployed),), strict=False)


@by_family
def test_card_agrees_with_the_count(name: str) -> None:
    card, count = NETWORKS[name].card, count_registered(name)
    assert count.parameters == card.parameters
    assert count.gmacs == pytest.approx(card.gmacs, rel=0.005)


def test_card_says_where_it_comes_from(name: str) -> None:
    card = NETWORKS[name].card
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert card.title
    assert re.search(r"\b(19|20)\d\d\b", card.paper), "the paper's year is missing"
    assert card.url.startswith("https://")
    assert card.structure.endswith(".")


def test_no_classes_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="num_classes is 0"):
        build_network(name, 0)


@by_family
def test_heads_are_what_forward_train_returns(name: str) -> None:
    network = on_meta(name)
    images = torch.empty(2, 3, *small_hw(network), device="meta")
    outputs = network.forward_train(images)
    assert list(outputs) == list(network.heads)
    assert next(iter(outputs)) == MAIN
    assert network.heads[MAIN].target == "classes"
    assert outputs[MAIN].shape == network(images).shape
    for head, logits in outputs.items():
        assert logits.shape[:2] == (2, network.heads[head].channels(K))


@by_family
def test_training_heads_can_be_removed(name: str) -> None:
    network = on_meta(name)
    modules = network.training_modules + network.instance_modules
    assert bool(modules) == (len(network.heads) > 1)
    assert all(hasattr(network, module) for module in modules)
    removed = network.remove_training_heads()
    assert removed is network
    assert list(network.heads) == [MAIN]
    assert not [key for key in network.state_dict() if key.split(".")[0] in modules]
    assert network(torch.empty(1, 3, *small_hw(network), device="meta")).shape[1] == K


@by_family
def test_instance_heads_stay_where_they_are_wanted(name: str) -> None:
    network = on_meta(name)
    kept = [head for head, each in network.heads.items() if each.is_of_instances]
    assert bool(kept) == bool(network.instance_modules) == network.finds_instances
    network.remove_training_heads(keep_instances=True)
    assert list(network.heads) == [MAIN, *kept]
    images = torch.empty(1, 3, *small_hw(network), device="meta")
    outputs = network.forward_instances(images)
    assert list(outputs) == list(network.heads)
    assert outputs[MAIN].shape == network(images).shape
    for head, maps in outputs.items():
        assert maps.shape[:2] == (1, network.heads[head].channels(K))
    assert not network.remove_training_heads().finds_instances


@by_family
def test_any_size_works_or_a_size_that_does_is_named(name: str) -> None:
    network = on_meta(name)
    sizes = set()
    for hw in ((1, 1), (63, 65), (97, 131), (66, 124), (72, 112), (80, 96)):
        padded = padded_hw(hw, network.size_multiple, network.min_size)
        sizes.add(padded)
        if padded != hw:
            with pytest.raises(InputSizeError, match=f"pad to {padded[0]}x{padded[1]}"):
                network(torch.empty(1, 3, *hw, device="meta"))
    for padded in sizes:
        logits = network(torch.empty(1, 3, *padded, device="meta"))
        assert min(logits.shape[-2:]) >= 1


@by_weight
def test_export_gives_the_same_logits(
    deployed: SegmentationNetwork, exported: ExportedProgram
) -> None:
    images = pictures(deployed)
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(images), deployed(images))


@by_weight
def test_export_keeps_nothing_of_training(name: str, exported: ExportedProgram) -> None:
    network = on_meta(name)
    state = {key.split(".")[0] for key in exported.state_dict}
    assert not state & set(network.training_modules + network.instance_modules)
    assert set(exported.state_dict) <= set(network.state_dict())


@by_weight
def test_export_keeps_the_rules_of_the_graph(exported: ExportedProgram) -> None:
    for node in exported.graph.nodes:
        if node.op != "call_function":
            continue
        operator, _, overload = str(node.target).removeprefix("aten.").partition(".")
        assert (operator, overload) != ("max", "dim"), "no torch.max(dim)"
        assert not operator.endswith("_aa"), "no antialiased resize"
        if operator.startswith("upsample"):
            assert operator == "upsample_bilinear2d", f"{operator}: bilinear only"
        if operator in CEIL_MODE_AT:
            ceil_mode = node.args[CEIL_MODE_AT[operator] :][:1] or node.kwargs.get("ceil_mode")
            assert ceil_mode in (None, (), (False,), False), f"{operator}: no ceil_mode"
        if operator.startswith("adaptive"):
            sizes = node.args[0].meta["val"].shape[-2:]
            assert all(size % bins == 0 for size, bins in zip(sizes, node.args[1], strict=True)), (
                f"{operator}: bins {node.args[1]} don't divide {tuple(sizes)}"
            )


def loss_of_random_targets(target: str, maps: Tensor) -> Tensor:
    size = (len(maps), *maps.shape[-2:])
    if target == "direction":
        return F.mse_loss(maps, F.normalize(torch.randn_like(maps), dim=1))
    if maps.shape[1] == 1 and target != "classes":
        return F.binary_cross_entropy_with_logits(maps[:, 0], torch.randint(0, 2, size).float())
    return F.cross_entropy(maps, torch.randint(0, maps.shape[1], size))


@by_weight
def test_every_parameter_gets_a_gradient(network: SegmentationNetwork) -> None:
    network.train()
    outputs = network.forward_train(pictures(network, batch=2))
    total = torch.zeros(())
    for head, logits in outputs.items():
        loss = loss_of_random_targets(network.heads[head].target, logits)
        total = total + network.heads[head].weight * loss
    total.backward()
    gradients = {key: each.grad for key, each in network.named_parameters()}
    assert not [key for key, gradient in gradients.items() if gradient is None]
    assert not [key for key, each in gradients.items() if each is not None and not each.any()]
    assert all(each is not None and bool(torch.isfinite(each).all()) for each in gradients.values())


@by_weight
def test_first_loss_is_that_of_a_guess(network: SegmentationNetwork) -> None:
    network.train()
    with torch.no_grad():
        logits = network.forward_train(pictures(network, batch=2))[MAIN]
    labels = torch.randint(0, K, (2, *logits.shape[-2:]))
    loss = F.cross_entropy(logits, labels).item()
    assert loss == pytest.approx(torch.tensor(float(K)).log().item(), abs=0.3)


@by_weight
def test_folding_batch_norm_keeps_the_logits(name: str, network: SegmentationNetwork) -> None:
    network.remove_training_heads().eval().double()
    shake_batch_norm(network)
    folded = fold_batch_norm(network)
    images = pictures(network).double()
    with torch.no_grad():
        expected, logits = network(images), folded(images)
    assert expected.std() > 0
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-10 * expected.abs().max().item())

    def normalisations(of: nn.Module) -> int:
        return sum(isinstance(module, nn.BatchNorm2d) for module in of.modules())

    if not name.startswith(PRE_ACTIVATION):
        assert normalisations(folded) <= 0.25 * normalisations(network)


@by_weight
def test_weights_survive_a_file(name: str, network: SegmentationNetwork, tmp_path: Path) -> None:
    shake_batch_norm(network)
    classes = ClassSet("five", tuple("abcde"), tuple((20 * i, 0, 0) for i in range(K)))
    card = ModelCard(name=f"{name}-test", network=name, classes=classes, input_hw=(64, 96))
    save_trained(tmp_path / "a.safetensors", network, card)
    loaded = load_trained(tmp_path / "a.safetensors")
    assert loaded.card == card
    saved = network.remove_training_heads(keep_instances=True).state_dict()
    state = loaded.network.state_dict()
    assert list(saved) == list(state)
    for key, tensor in saved.items():
        torch.testing.assert_close(state[key], tensor, rtol=1e-3, atol=1e-4)


def _compiled_like_eager(name: str, backend: str) -> None:
    network = build_network(name, K).remove_training_heads().eval()
    images = pictures(network).to(memory_format=torch.channels_last)
    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True, backend=backend)
    with torch.no_grad():
        torch.testing.assert_close(compiled(images), network(images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", slow_unless(compiles_quickly, LIGHTEST))
def test_compiles_as_one_graph(name: str) -> None:
    _compiled_like_eager(name, "aot_eager")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(NETWORKS) - set(LIGHTEST)))
def test_further_variants_compile_as_one_graph(name: str) -> None:
    _compiled_like_eager(name, "eager")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated")  # torch's own use
@pytest.mark.parametrize("name", LIGHTEST)
def test_inductor_gives_the_same_logits(name: str) -> None:
    _compiled_like_eager(name, "inductor")
