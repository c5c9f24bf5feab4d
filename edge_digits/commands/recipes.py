"""``edge-digits recipes``."""

from typing import TYPE_CHECKING

import click

from edge_digits.printing import print_json

if TYPE_CHECKING:
    from edge_digits_train.engine.own_file import OwnNetwork
    from edge_digits_train.recipes.line_recipe import LineRecipe
    from edge_digits_train.recipes.recipe import Recipe


@click.command()
@click.argument("name", required=False, metavar="[RECIPE]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per recipe, each on a line.")
def recipes(name: str | None, as_json: bool) -> None:
    """List the recipes with parameters, multiply-accumulates (MACs) and source; with RECIPE, show its layers and
    settings. RECIPE may be a Python file of your own, mine.py or mine.py:NAME.

    \b
    Example:
      edge-digits recipes
      edge-digits recipes cnn-32-64-64
      edge-digits recipes mine.py
    """
    from edge_digits_train.engine import own_file
    from edge_digits_train.recipes import catalogue as registry
    from edge_digits_train.recipes.line_recipe import LINE_RECIPES

    if name is not None and name in LINE_RECIPES:
        _show_line_recipe(LINE_RECIPES[name], as_json)
        return
    if name is not None and own_file.is_own(name):
        chosen = [_built(network) for network in own_file.read(name)]
    else:
        chosen = [registry.get(name)] if name else list(registry.RECIPES.values())
    if as_json:
        for recipe in chosen:
            print_json(recipe.to_dict() | {"parameters": recipe.parameters, "macs": recipe.macs})
        for line_recipe in () if name else LINE_RECIPES.values():
            _show_line_recipe(line_recipe, as_json)
        return
    if len(chosen) == 1:
        _show(chosen[0])
        return
    width = max(len(recipe.name) for recipe in chosen)
    click.echo(f"{'':{width}}  parameters        MACs  epochs  layers")
    for recipe in chosen:
        mark = "*" if recipe.name == registry.DEFAULT else " "
        layers = " ".join(row.name for row in recipe.table)
        click.echo(
            f"{recipe.name:{width}}{mark} {recipe.parameters:10,}  {recipe.macs:10,}  {recipe.epochs:6}  {layers}"
        )
        click.echo(f"{'':{width}}  {recipe.source}")
    if name:
        return
    for line_recipe in LINE_RECIPES.values():
        figures = f"{line_recipe.parameters:10,}  {line_recipe.macs:10,}  {line_recipe.epochs:6}"
        click.echo(f"{line_recipe.name:{width}}  {figures}  {line_recipe.description}")
    click.echo("\n* trained when no recipe is named")


def _built(network: "Recipe | OwnNetwork") -> "Recipe":
    """Return a network of a Python file as a recipe, for pictures of its own size and ten classes."""
    from edge_digits_train.recipes.recipe import Recipe

    return network if isinstance(network, Recipe) else network.recipe(network.input_shape, 10)


def _show_line_recipe(recipe: "LineRecipe", as_json: bool) -> None:
    """Print a recipe of a line reader: its convolutions, then how it is trained."""
    if as_json:
        print_json(recipe.to_dict() | {"parameters": recipe.parameters, "macs": recipe.macs})
        return
    click.echo(f"{recipe.name}: {recipe.description}\n")
    for convolution in recipe.architecture.convolutions:
        height, width = convolution.kernel
        click.echo(f"{convolution.filters:5} filters of {height}×{width}" + (", pooled" if convolution.pool else ""))
    click.echo(f"\n{'parameters':20}{recipe.parameters:,}\n{'MACs':20}{recipe.macs:,}")
    for setting, value in recipe.to_dict().items():
        if setting not in ("name", "description", "architecture", "kind"):
            click.echo(f"{setting.replace('_', ' '):20}{value}")


def _show(recipe: "Recipe") -> None:
    """Print the layers of one recipe, then how it is trained."""
    click.echo(f"{recipe.name}: {recipe.description}\n{recipe.source}\n")
    click.echo(f"{'layer':20}{'output':>14}{'parameters':>12}{'MACs':>12}")
    for row in recipe.table:
        shape = "×".join(map(str, row.output_shape))
        click.echo(f"{row.name:20}{shape:>14}{row.parameters:12,}{row.macs:12,}")
    click.echo(f"{'':20}{'':>14}{recipe.parameters:12,}{recipe.macs:12,}\n")
    shown = {"name", "description", "source", "layers"}
    for setting, value in recipe.to_dict().items():
        if setting not in shown and value is not None:
            click.echo(f"{setting.replace('_', ' '):20}{value}")
