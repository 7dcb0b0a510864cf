//! Imports point downwards without cycles, between the modules of a crate and between the files of a
//! folder.
//!
//! The sources are parsed; every `crate::`, `super::` and `self::` path outside `#[cfg(test)]`
//! counts, including those in bodies and macros. A path that goes through a re-export counts for
//! the file that defines the item.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree, Visibility};

/// The layers of the library, bottom to top; a module imports modules of its own layer or of lower
/// ones. `lib` holds no more than the alias `Result`.
const LAYERS: &[&[&str]] = &[
    &[
        "lib",
        "columns",
        "environment",
        "error",
        "memory",
        "rules",
        "settings",
        "spec",
        "special",
        "terms",
    ],
    &["optim", "nn", "likelihood"],
    &["model"],
    &["distributions", "clustering"],
    FAMILIES,
    &["registry"],
    &["train"],
    &["evaluate"],
    &["report"],
    &["run"],
    &["explain"],
    &["testing"],
];

/// Families of models, of which none imports another.
const FAMILIES: &[&str] =
    &["autoregressive", "autoencoder", "adversarial", "classifier", "regression"];

/// A module: its file, definitions and re-exports.
#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    children: BTreeSet<String>,
    items: BTreeSet<String>,
    /// Names that it re-exports, each with the path it stands for.
    passed_on: BTreeMap<String, Vec<String>>,
    /// Paths from which it re-exports everything.
    globs: Vec<Vec<String>>,
    /// Paths that it uses, as written.
    used: Vec<Vec<String>>,
}

/// A crate by the paths of its modules; the root has an empty one.
type Crate = BTreeMap<Vec<String>, Module>;

fn parse(root: &Path) -> Crate {
    let mut modules = Crate::new();
    let main = ["lib.rs", "main.rs"].map(|name| root.join(name)).into_iter().find(|p| p.exists());
    read(&main.unwrap(), Vec::new(), &mut modules);
    // An exported macro is an item of the root, wherever it stands.
    let exported: Vec<(String, Vec<String>)> = modules
        .iter()
        .flat_map(|(path, module)| {
            let name = |n: &String| n.strip_prefix("macro ").map(|n| (n.to_owned(), path.clone()));
            module.items.iter().filter_map(name).collect::<Vec<_>>()
        })
        .collect();
    for (name, mut path) in exported {
        path.insert(0, "crate".to_owned());
        path.push(format!("macro {name}"));
        modules.get_mut(&Vec::new()).unwrap().passed_on.entry(name).or_insert(path);
    }
    modules
}

fn read(file: &Path, path: Vec<String>, modules: &mut Crate) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    collect(&parsed.items, file, path, modules);
}

fn collect(items: &[Item], file: &Path, path: Vec<String>, modules: &mut Crate) {
    let mut module = Module { file: file.to_owned(), ..Module::default() };
    for item in items.iter().filter(|item| !is_test(attributes(item))) {
        match item {
            Item::Mod(child) => {
                let name = child.ident.to_string();
                module.children.insert(name.clone());
                let child_path = [&path[..], std::slice::from_ref(&name)].concat();
                match &child.content {
                    Some((_, items)) => collect(items, file, child_path, modules),
                    None => read(&file_of(file, &name), child_path, modules),
                }
            }
            Item::Use(import) => {
                let mut found = Vec::new();
                expand(&import.tree, Vec::new(), &mut found);
                let passes_on = !matches!(import.vis, Visibility::Inherited);
                for (name, target) in found {
                    match (passes_on, name.as_str()) {
                        (true, "*") => module.globs.push(target),
                        // A macro of the module itself, made reachable by a path.
                        (true, _) if target == [name.clone()] => {
                            module.items.insert(name);
                        }
                        (true, _) => {
                            module.passed_on.insert(name, target);
                        }
                        (false, _) => module.used.push(target),
                    }
                }
            }
            other => {
                if let Some(name) = name_of(other) {
                    module.items.insert(name);
                }
                paths(other.to_token_stream(), &mut module.used);
            }
        }
    }
    modules.insert(path, module);
}

/// Where `mod name;` of a file lies.
fn file_of(file: &Path, name: &str) -> PathBuf {
    let folder = file.parent().unwrap();
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let folder = match stem {
        "lib" | "main" | "mod" => folder.to_owned(),
        stem => folder.join(stem),
    };
    let candidates = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    candidates.into_iter().find(|p| p.exists()).unwrap_or_else(|| panic!("no file of {name}"))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

/// Whether something is there for the tests alone; the feature `testing` is no such thing.
fn is_test(attributes: &[Attribute]) -> bool {
    fn has_test(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Group(group) => has_test(group.stream()),
            token => token.to_string() == "test",
        })
    }
    let test = |a: &Attribute| a.path().is_ident("cfg") && has_test(a.meta.to_token_stream());
    attributes.iter().any(test)
}

fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(i) => i.ident.to_string(),
        Item::Enum(i) => i.ident.to_string(),
        Item::Fn(i) => i.sig.ident.to_string(),
        Item::Static(i) => i.ident.to_string(),
        Item::Struct(i) => i.ident.to_string(),
        Item::Trait(i) => i.ident.to_string(),
        Item::Type(i) => i.ident.to_string(),
        Item::Macro(i) => match &i.ident {
            Some(name) => format!("macro {name}"),
            // settings! and choices! declare a struct or an enum.
            None => {
                let mut tokens = i.mac.tokens.clone().into_iter();
                tokens.find(|t| ["struct", "enum"].contains(&t.to_string().as_str()))?;
                tokens.next()?.to_string()
            }
        },
        _ => return None,
    })
}

/// The names that a tree of imports brings, each with its path.
fn expand(tree: &UseTree, before: Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    let with = |name: String| [&before[..], &[name]].concat();
    match tree {
        UseTree::Path(path) => expand(&path.tree, with(path.ident.to_string()), found),
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().unwrap().clone(), before));
        }
        UseTree::Name(name) => found.push((name.ident.to_string(), with(name.ident.to_string()))),
        UseTree::Rename(name) => {
            found.push((name.rename.to_string(), with(name.ident.to_string())))
        }
        UseTree::Glob(_) => found.push(("*".to_owned(), before)),
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| expand(tree, before.clone(), found));
        }
    }
}

/// Every path in some tokens that starts at the crate, a parent or the module itself.
fn paths(tokens: TokenStream, found: &mut Vec<Vec<String>>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let colons = |at: usize| {
        let colon =
            |t: Option<&TokenTree>| matches!(t, Some(TokenTree::Punct(p)) if p.as_char() == ':');
        colon(tokens.get(at)) && colon(tokens.get(at + 1))
    };
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => paths(group.stream(), found),
            TokenTree::Ident(first) if is_root(&first.to_string()) && colons(at + 1) => {
                let mut path = vec![first.to_string()];
                while colons(at + 1) {
                    let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
                    path.push(next.to_string());
                    at += 3;
                }
                found.push(path);
            }
            _ => {}
        }
        at += 1;
    }
}

fn is_root(word: &str) -> bool {
    ["crate", "super", "self"].contains(&word)
}

/// The module that defines what a path of `from` means; `None` for what is of another crate.
fn resolve(modules: &Crate, from: &[String], path: &[String], depth: usize) -> Option<Vec<String>> {
    assert!(depth < 20, "{path:?} of {from:?} is cyclic");
    let mut at = from.to_vec();
    let mut rest = path;
    let known = &modules[from];
    match path.first()?.as_str() {
        "crate" => {
            at = Vec::new();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {}
        first if known.children.contains(first) => {}
        // A name that was imported, or another crate.
        first => {
            let target = known.passed_on.get(first)?;
            let target = [&target[..], &path[1..]].concat();
            return resolve(modules, from, &target, depth + 1);
        }
    }
    for (i, name) in rest.iter().enumerate() {
        if name == "super" {
            at.pop();
            continue;
        }
        let module = &modules[&at];
        if module.children.contains(name) && i + 1 < rest.len() {
            at.push(name.clone());
        } else if module.items.contains(name) {
            return Some(at);
        } else if let Some(target) = module.passed_on.get(name) {
            let target = [&target[..], &rest[i + 1..]].concat();
            return resolve(modules, &at.clone(), &target, depth + 1);
        } else if module.children.contains(name) {
            at.push(name.clone());
        } else {
            let through = |glob: &Vec<String>| {
                let target = [&glob[..], &rest[i..]].concat();
                let found = resolve(modules, &at, &target, depth + 1)?;
                modules[&found].items.contains(name).then_some(found)
            };
            return module.globs.iter().find_map(through).or(Some(at));
        }
    }
    Some(at)
}

/// The imports between modules: pairs of module paths, each with a path that shows it.
fn arrows(modules: &Crate) -> Vec<(Vec<String>, Vec<String>, String)> {
    let mut arrows = Vec::new();
    for (from, module) in modules {
        for path in &module.used {
            if let Some(to) = resolve(modules, from, path, 0)
                && to != *from
            {
                arrows.push((from.clone(), to, path.join("::")));
            }
        }
    }
    arrows
}

/// A cycle in a graph, as the names along it.
fn cycle(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        node: &str,
        edges: &BTreeMap<String, BTreeSet<String>>,
        way: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(at) = way.iter().position(|n| n == node) {
            return Some([&way[at..], &[node.to_owned()]].concat());
        }
        if !done.insert(node.to_owned()) {
            return None;
        }
        way.push(node.to_owned());
        let found =
            edges.get(node).into_iter().flatten().find_map(|to| visit(to, edges, way, done));
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    edges.keys().find_map(|node| visit(node, edges, &mut Vec::new(), &mut done))
}

/// The place of a module among those of a folder: a file or folder of it, or the folder's own file.
fn place(folder: &[String], module: &[String]) -> Option<String> {
    let inside = module.strip_prefix(folder)?;
    Some(inside.first().cloned().unwrap_or_else(|| "lib".to_owned()))
}

fn check_cycles(name: &str, modules: &Crate) {
    let arrows = arrows(modules);
    for folder in modules.keys() {
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to, _) in &arrows {
            // Inline modules are part of their file.
            if modules[from].file == modules[to].file {
                continue;
            }
            if let (Some(a), Some(b)) = (place(folder, from), place(folder, to))
                && a != b
            {
                edges.entry(a).or_default().insert(b);
            }
        }
        if let Some(way) = cycle(&edges) {
            let of = |a: &str, b: &str| {
                let found = arrows.iter().find(|(from, to, _)| {
                    place(folder, from).as_deref() == Some(a)
                        && place(folder, to).as_deref() == Some(b)
                });
                found.map_or(String::new(), |(from, _, path)| {
                    format!("\n  {} uses {path}", modules[from].file.display())
                })
            };
            let steps: String = way.windows(2).map(|pair| of(&pair[0], &pair[1])).collect();
            panic!(
                "{name}, {}: imports form a cycle: {}{steps}",
                folder.join("::"),
                way.join(" → ")
            );
        }
    }
}

fn sources(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src")
}

#[test]
fn no_crate_has_a_cycle() {
    for name in
        ["ancestral-data", "ancestral-plot", "ancestral", "ancestral-cli", "ancestral-kernels"]
    {
        check_cycles(name, &parse(&sources(name)));
    }
}

#[test]
fn imports_of_the_library_point_down() {
    let modules = parse(&sources("ancestral"));
    let layer = |module: &[String]| {
        let name = module.first().map_or("lib", String::as_str);
        let found = LAYERS.iter().position(|layer| layer.contains(&name));
        (name.to_owned(), found.unwrap_or_else(|| panic!("{name} is in no layer")))
    };
    let arrows = arrows(&modules);
    assert!(arrows.len() > 300, "only {} imports were found", arrows.len());
    for (from, to, path) in arrows {
        let ((from_name, from_layer), (to_name, to_layer)) = (layer(&from), layer(&to));
        let file = modules[&from].file.display();
        assert!(to_layer <= from_layer, "{file} uses {path}: {from_name} lies below {to_name}");
        let families =
            FAMILIES.contains(&from_name.as_str()) && FAMILIES.contains(&to_name.as_str());
        assert!(!families || from_name == to_name, "{file} uses {path}: a family imports another");
    }
}

/// The reading of sources itself, on a crate of a few lines.
#[test]
fn upward_paths_cycles_and_re_exports_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "pub mod low;\npub mod high;\npub use high::Thing;\npub type R = ();");
    write(
        "high/mod.rs",
        "mod one;\nmod two;\npub use one::Thing;\n#[macro_export] macro_rules! m { () => {} }",
    );
    write("high/one.rs", "use super::two::other;\npub struct Thing;\nfn f() { other() }");
    write("high/two.rs", "pub fn other() -> crate::R {}");
    write("low.rs", "#[cfg(test)]\nmod tests { use crate::high::Thing; }");
    let found = |modules: &Crate| -> Vec<String> {
        let line = |(from, to, _): (Vec<String>, Vec<String>, String)| {
            format!("{} {}", from.join("::"), to.join("::"))
        };
        arrows(modules).into_iter().map(line).collect()
    };
    let modules = parse(dir.path());
    assert_eq!(found(&modules), ["high::one high::two", "high::two "]);
    check_cycles("clean", &modules);
    // Through a re-export at the root, in a body and in a macro.
    for text in ["fn f() { let _ = crate::Thing; }", "fn f() { println!(\"{}\", crate::Thing) }"] {
        write("low.rs", text);
        let modules = parse(dir.path());
        assert!(found(&modules).contains(&"low high::one".to_owned()), "{:?}", found(&modules));
    }
    write("low.rs", "fn f() { crate::m!() }");
    assert!(found(&parse(dir.path())).contains(&"low high".to_owned()));
    write("high/two.rs", "pub fn other() { let _ = super::Thing; }");
    let caught = std::panic::catch_unwind(|| check_cycles("cycle", &parse(dir.path())));
    let said = *caught.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("one → two → one") && said.contains("super::Thing"), "{said}");
}
