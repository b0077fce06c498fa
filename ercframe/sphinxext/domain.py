"""The Sphinx domain ``erc``: components, their fields and recipes as targets, here and from other projects."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from docutils import nodes
from sphinx.domains import Domain, ObjType
from sphinx.roles import XRefRole
from sphinx.util import logging
from sphinx.util.nodes import make_id, make_refnode

from ercframe.errors import nearest

if TYPE_CHECKING:
    from docutils.nodes import Element, Node, reference
    from sphinx.addnodes import pending_xref
    from sphinx.builders import Builder
    from sphinx.environment import BuildEnvironment
    from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)


class Target(NamedTuple):
    """Where an object is described."""

    document: str
    anchor: str


class ErcRole(XRefRole):
    """A link to an object; ``~fusion/gated`` shows the last part alone."""

    def __init__(self) -> None:
        super().__init__(warn_dangling=True)

    def process_link(
        self, env: BuildEnvironment, refnode: Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        if not has_explicit_title and title.startswith("~"):
            title = title[1:].rpartition("/")[2]
        return title, target.lstrip("~")


class AnyErcRole(ErcRole):
    """The role ``erc``, which finds objects of every type."""

    def run(self) -> tuple[list[Node], list[nodes.system_message]]:
        self.name = "erc:obj"
        return super().run()


class ErcDomain(Domain):
    """Components (``fusion/gated``), fields (``fusion/gated.temperature``, ``trainer.epochs``) and recipes."""

    name = "erc"
    label = "ercframe"
    object_types: ClassVar[dict[str, ObjType]] = {
        "component": ObjType("component", "component", "obj"),
        "field": ObjType("field", "field", "obj"),
        "recipe": ObjType("recipe", "recipe", "obj"),
    }
    roles = {name: ErcRole() for name in (*object_types, "obj")}
    dangling_warnings = dict.fromkeys(roles, "nothing describes '%(target)s'")
    initial_data: ClassVar[dict[str, Any]] = {"objects": {}, "pages": {}, "contracts": {}, "fingerprint": ""}
    data_version = 1

    @property
    def objects(self) -> dict[tuple[str, str], Target]:
        """Where each object is described, by its type and name."""
        return cast("dict[tuple[str, str], Target]", self.data["objects"])

    @property
    def pages(self) -> dict[str, list[str]]:
        """The documents that show anything of what is installed, each with the components whose contract it shows."""
        return cast("dict[str, list[str]]", self.data["pages"])

    def note_page(self, document: str, *contracts: str) -> None:
        """Remember that a document depends on what is installed, and shows whether these keep their contract."""
        self.pages.setdefault(document, []).extend(contracts)

    def describe(self, directive: SphinxDirective, objtype: str, name: str, node: Element) -> None:
        """Make ``node`` the place where an object is described."""
        anchor = make_id(self.env, directive.state.document, f"erc-{objtype}", name)
        node["ids"].append(anchor)
        directive.state.document.note_explicit_target(node)
        known = self.objects.get((objtype, name))
        if known and known.document != self.env.current_document.docname:
            logger.warning(
                "%s '%s' is also described in %s; add :no-index: to one of them",
                objtype,
                name,
                self.env.doc2path(known.document, base=False),
                location=node,
                type="erc",
                subtype="twice",
            )
        self.objects[objtype, name] = Target(self.env.current_document.docname, anchor)

    def clear_doc(self, docname: str) -> None:
        self.data["objects"] = {key: t for key, t in self.objects.items() if t.document != docname}
        self.pages.pop(docname, None)

    def merge_domaindata(self, docnames: Set[str], otherdata: dict[str, Any]) -> None:
        self.objects.update({key: t for key, t in otherdata["objects"].items() if t.document in docnames})
        self.pages.update({page: shown for page, shown in otherdata["pages"].items() if page in docnames})

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        for (objtype, name), target in self.objects.items():
            yield name, name, objtype, target.document, target.anchor, 1 if objtype != "field" else 2

    def find(self, role: str, name: str) -> Target | None:
        """Where an object is described that a role may mean."""
        found = (self.objects.get((objtype, name)) for objtype in self.objtypes_for_role(role) or ())
        return next((target for target in found if target), None)

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> reference | None:
        found = self.find(typ, target)
        return make_refnode(builder, fromdocname, found.document, found.anchor, contnode, target) if found else None

    def resolve_any_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> list[tuple[str, reference]]:
        return [
            (
                f"erc:{objtype}",
                make_refnode(builder, fromdocname, found.document, found.anchor, contnode, target),
            )
            for (objtype, name), found in self.objects.items()
            if name == target
        ]


def leave_as_text(app: Any, env: BuildEnvironment, node: pending_xref, contnode: Element) -> Element | None:
    """Show a generated link to something that no page describes, here or in another project, as its text."""
    return contnode if node.get("refdomain") == "erc" and node.get("erc_optional") else None


def say_the_nearest(app: Any, domain: Domain | None, node: pending_xref) -> bool | None:
    """Warn of a link that leads nowhere, with the nearest name there is."""
    if not isinstance(domain, ErcDomain):
        return None
    names = [name for _, name in domain.objects]
    hint = nearest(node["reftarget"], names)
    logger.warning("nothing describes '%s'%s", node["reftarget"], hint, location=node, type="ref", subtype="erc")
    return True
