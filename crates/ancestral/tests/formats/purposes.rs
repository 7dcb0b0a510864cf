//! Purposes of random streams, read from the sources.
//!
//! A purpose may reach `Streams::purpose` through parameters, closures and `format!`. So each function
//! is evaluated symbolically, and gets the purposes of its calls in terms of its own parameters, until
//! nothing changes. Parts of a purpose that are only known at run time are `*`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ancestral_test_support::{assert_listed, listed};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Block, Expr, ExprMacro, FnArg, ImplItem, Item, Pat, Signature, TraitItem, Type,
};

/// Texts in which `\0i\0` is parameter i of a function.
type Words = BTreeSet<String>;

/// The meaning of a name.
#[derive(Clone)]
enum Meaning {
    Words(Words),
    Closure(Rc<Closure>),
}

type Names = BTreeMap<String, Meaning>;

/// A closure that is called by its name.
struct Closure {
    parameters: Vec<String>,
    body: Vec<TokenTree>,
    names: Names,
}

struct Function {
    file: PathBuf,
    /// The type or trait that it is of.
    owner: Option<String>,
    name: String,
    method: bool,
    /// But `self`; a pattern has no name.
    parameters: Vec<String>,
    body: Vec<TokenTree>,
    /// Purposes that its parameters are a part of.
    purposes: Words,
}

/// The text of an unknown part.
const UNKNOWN: &str = "*";

fn words(text: impl Into<String>) -> Words {
    BTreeSet::from([text.into()])
}

fn is_test(attributes: &[Attribute]) -> bool {
    let test = |a: &Attribute| a.meta.to_token_stream().to_string().contains("test");
    attributes.iter().any(|a| a.path().is_ident("cfg") && test(a))
}

/// The functions of a crate, from its main file on.
fn functions(root: &Path) -> Vec<Function> {
    let main = ["lib.rs", "main.rs"].map(|name| root.join(name)).into_iter().find(|p| p.exists());
    let mut found = Vec::new();
    read(&main.unwrap(), &mut found);
    found
}

fn read(file: &Path, found: &mut Vec<Function>) {
    let text = std::fs::read_to_string(file).unwrap();
    collect(syn::parse_file(&text).unwrap().items, file, found);
}

fn collect(items: Vec<Item>, file: &Path, found: &mut Vec<Function>) {
    for item in items {
        let mut add = |signature: &Signature, block: &Block, owner: Option<String>| {
            let mut parameters = Vec::new();
            for input in &signature.inputs {
                if let FnArg::Typed(typed) = input {
                    parameters.push(match &*typed.pat {
                        Pat::Ident(name) => name.ident.to_string(),
                        _ => String::new(),
                    });
                }
            }
            found.push(Function {
                file: file.to_owned(),
                owner,
                name: signature.ident.to_string(),
                method: signature.receiver().is_some(),
                parameters,
                body: block.to_token_stream().into_iter().collect(),
                purposes: Words::new(),
            });
        };
        match item {
            Item::Fn(f) if !is_test(&f.attrs) => add(&f.sig, &f.block, None),
            Item::Impl(i) if !is_test(&i.attrs) => {
                let Type::Path(owner) = &*i.self_ty else { continue };
                let owner = owner.path.segments.last().map(|s| s.ident.to_string());
                for inner in &i.items {
                    if let ImplItem::Fn(f) = inner {
                        add(&f.sig, &f.block, owner.clone());
                    }
                }
            }
            Item::Trait(t) => {
                for inner in &t.items {
                    if let TraitItem::Fn(f) = inner
                        && let Some(block) = &f.default
                    {
                        add(&f.sig, block, Some(t.ident.to_string()));
                    }
                }
            }
            Item::Mod(m) if !is_test(&m.attrs) => match m.content {
                Some((_, items)) => collect(items, file, found),
                None => read(&file_of(file, &m.ident.to_string()), found),
            },
            _ => {}
        }
    }
}

/// Where `mod name;` of a file lies.
fn file_of(file: &Path, name: &str) -> PathBuf {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let folder = match stem {
        "lib" | "main" | "mod" => file.parent().unwrap().to_owned(),
        _ => file.with_extension(""),
    };
    let candidates = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    candidates.into_iter().find(|p| p.exists()).unwrap_or_else(|| panic!("no file of {name}"))
}

/// The expressions in a list.
fn list(tokens: TokenStream) -> Vec<Expr> {
    let parse = Punctuated::<Expr, syn::Token![,]>::parse_terminated;
    parse.parse2(tokens).map(|list| list.into_iter().collect()).unwrap_or_default()
}

/// The possible texts of an expression.
fn value(expr: &Expr, names: &Names) -> Words {
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            syn::Lit::Str(text) => words(text.value()),
            _ => words(UNKNOWN),
        },
        Expr::Reference(inner) => value(&inner.expr, names),
        Expr::Paren(inner) => value(&inner.expr, names),
        Expr::Group(inner) => value(&inner.expr, names),
        Expr::Path(path) => match path.path.get_ident().map(|name| names.get(&name.to_string())) {
            Some(Some(Meaning::Words(found))) => found.clone(),
            _ => words(UNKNOWN),
        },
        Expr::Macro(call) if call.mac.path.is_ident("format") => formatted(call, names),
        _ => parts(expr, &|part| value(part, names)),
    }
}

/// The texts that one place of a tuple may have.
fn value_at(expr: &Expr, place: usize, names: &Names) -> Words {
    match expr {
        Expr::Tuple(tuple) if place < tuple.elems.len() => value(&tuple.elems[place], names),
        _ => parts(expr, &|part| value_at(part, place, names)),
    }
}

/// The possible texts of an expression's branches.
fn parts(expr: &Expr, of: &dyn Fn(&Expr) -> Words) -> Words {
    let last = |block: &Block| match block.stmts.last() {
        Some(syn::Stmt::Expr(last, None)) => of(last),
        _ => words(UNKNOWN),
    };
    match expr {
        Expr::Match(all) => all.arms.iter().flat_map(|arm| of(&arm.body)).collect(),
        Expr::Block(block) => last(&block.block),
        Expr::If(either) => {
            let other = either.else_branch.as_ref().map(|(_, other)| of(other));
            last(&either.then_branch).into_iter().chain(other.unwrap_or_default()).collect()
        }
        _ => words(UNKNOWN),
    }
}

fn formatted(call: &ExprMacro, names: &Names) -> Words {
    let arguments = list(call.mac.tokens.clone());
    let Some(Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(template), .. })) = arguments.first()
    else {
        return words(UNKNOWN);
    };
    let template = template.value().replace("{{", "\u{1}").replace("}}", "\u{2}");
    let mut found = words("");
    let mut positional = 0;
    for (i, piece) in template.split(['{', '}']).enumerate() {
        let next = if i % 2 == 0 {
            words(piece.replace('\u{1}', "{").replace('\u{2}', "}"))
        } else {
            let name = piece.split(':').next().unwrap();
            let at = name.parse().ok().or_else(|| {
                positional += usize::from(name.is_empty());
                name.is_empty().then(|| positional - 1)
            });
            match (at, names.get(name)) {
                (Some(at), _) => arguments.get(at + 1).map_or(words(UNKNOWN), |a| value(a, names)),
                (None, Some(Meaning::Words(found))) => found.clone(),
                _ => words(UNKNOWN),
            }
        };
        found = joined(&found, &next);
    }
    found
}

/// All concatenations of a text of `some` and one of `others`.
fn joined(some: &Words, others: &Words) -> Words {
    some.iter().flat_map(|a| others.iter().map(move |b| format!("{a}{b}"))).collect()
}

/// Purposes in terms of parameters, with arguments in the place of these.
fn with_arguments(purposes: &Words, arguments: &[Words]) -> Words {
    let mut all = Words::new();
    for purpose in purposes {
        let mut found = words("");
        for (i, piece) in purpose.split('\0').enumerate() {
            let next = if i % 2 == 0 {
                words(piece)
            } else {
                arguments[piece.parse::<usize>().unwrap()].clone()
            };
            found = joined(&found, &next);
        }
        all.extend(found);
    }
    all
}

/// Reads one function.
struct Reader<'a> {
    functions: &'a [Function],
    function: &'a Function,
    found: Words,
}

fn ident(tokens: &[TokenTree], at: usize) -> Option<String> {
    match tokens.get(at) {
        Some(TokenTree::Ident(name)) => Some(name.to_string()),
        _ => None,
    }
}

fn is_punct(tokens: &[TokenTree], at: usize, c: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c)
}

fn is_group(tokens: &[TokenTree], at: usize) -> Option<TokenStream> {
    match tokens.get(at) {
        Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis => Some(g.stream()),
        _ => None,
    }
}

/// The first names of patterns that commas part, without `mut` and types; none of other patterns.
fn patterns(tokens: &[TokenTree]) -> Vec<String> {
    let first = |tokens: &[TokenTree]| match ident(tokens, 0).as_deref() {
        Some("mut") => ident(tokens, 1),
        name => name.map(str::to_owned),
    };
    let parts = tokens.split(|t| matches!(t, TokenTree::Punct(p) if p.as_char() == ','));
    parts.map(|part| first(part).unwrap_or_default()).collect()
}

impl Reader<'_> {
    fn read(&mut self, tokens: &[TokenTree], names: &mut Names) {
        let end_of = |from: usize| (from..tokens.len()).find(|&at| is_punct(tokens, at, ';'));
        // A name is known behind its statement.
        let mut pending: Vec<(String, Meaning)> = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if is_punct(tokens, at, ';') {
                names.extend(pending.drain(..));
            } else if let TokenTree::Group(group) = &tokens[at] {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                self.read(&inner, &mut names.clone());
            } else if ident(tokens, at).as_deref() == Some("let")
                && let Some(end) = end_of(at)
                && let Some(equals) = (at..end).find(|&i| is_punct(tokens, i, '='))
            {
                let whole = &tokens[equals + 1..end];
                let mutable = usize::from(ident(tokens, at + 1).as_deref() == Some("mut"));
                let skipped = usize::from(ident(whole, 0).as_deref() == Some("move"));
                if is_punct(whole, skipped, '|') {
                    let name = ident(tokens, at + 1).unwrap();
                    let bar =
                        (skipped + 1..whole.len()).find(|&i| is_punct(whole, i, '|')).unwrap();
                    let parameters = patterns(&whole[skipped + 1..bar]);
                    let body = whole[bar + 1..].to_vec();
                    if calls(&self.function.body, &name) {
                        let closure = Closure { parameters, body, names: names.clone() };
                        names.insert(name, Meaning::Closure(Rc::new(closure)));
                    } else {
                        // It is passed on, and called with unknown arguments.
                        let mut inner = names.clone();
                        let unknown = |name| (name, Meaning::Words(words(UNKNOWN)));
                        inner.extend(parameters.into_iter().map(unknown));
                        self.read(&body, &mut inner);
                    }
                    at = end;
                    continue;
                }
                if let Ok(expr) = syn::parse2::<Expr>(whole.iter().cloned().collect()) {
                    if let Some(name) = ident(tokens, at + 1 + mutable) {
                        pending.push((name, Meaning::Words(value(&expr, names))));
                    } else if let Some(pattern) = is_group(tokens, at + 1) {
                        let pattern: Vec<TokenTree> = pattern.into_iter().collect();
                        for (place, name) in patterns(&pattern).into_iter().enumerate() {
                            let found = value_at(&expr, place, names);
                            pending.push((name, Meaning::Words(found)));
                        }
                    }
                }
                at = equals;
            } else if let (Some(name), Some(arguments)) =
                (ident(tokens, at), is_group(tokens, at + 1))
            {
                self.call(tokens, at, &name, arguments, names);
            }
            at += 1;
        }
    }

    fn call(
        &mut self,
        tokens: &[TokenTree],
        at: usize,
        name: &str,
        arguments: TokenStream,
        names: &Names,
    ) {
        let of = |arguments| list(arguments).iter().map(|a| value(a, names)).collect::<Vec<_>>();
        let method = at > 0 && is_punct(tokens, at - 1, '.');
        let path = at > 2 && is_punct(tokens, at - 1, ':') && is_punct(tokens, at - 2, ':');
        if let (Some(Meaning::Closure(closure)), false, false) = (names.get(name), method, path) {
            let closure = closure.clone();
            let mut inner = closure.names.clone();
            let given = closure.parameters.iter().cloned().zip(of(arguments));
            inner.extend(given.map(|(name, found)| (name, Meaning::Words(found))));
            self.read(&closure.body, &mut inner);
            return;
        }
        let same = |f: &&Function| f.name == name && !f.purposes.is_empty();
        if !self.functions.iter().any(|f| same(&f)) {
            return;
        }
        let qualifier = match path.then(|| ident(tokens, at - 3)).flatten() {
            Some(own) if own == "Self" => self.function.owner.clone(),
            other => other,
        };
        let arguments = of(arguments);
        let meant = |f: &&Function| {
            let module = f.file.file_stem().and_then(|stem| stem.to_str());
            let place = match &qualifier {
                _ if method => f.method,
                Some(q) => !f.method && (f.owner.as_ref() == Some(q) || module == Some(q)),
                None => !f.method && f.owner.is_none(),
            };
            same(f) && place && f.parameters.len() == arguments.len()
        };
        let all: Vec<&Function> = self.functions.iter().filter(meant).collect();
        let near: Vec<&Function> =
            all.iter().copied().filter(|f| f.file == self.function.file).collect();
        for callee in if near.is_empty() { all } else { near } {
            self.found.extend(with_arguments(&callee.purposes, &arguments));
        }
    }
}

/// Whether a name is called in some tokens.
fn calls(tokens: &[TokenTree], name: &str) -> bool {
    (0..tokens.len()).any(|at| match &tokens[at] {
        TokenTree::Group(group) => calls(&group.stream().into_iter().collect::<Vec<_>>(), name),
        _ => ident(tokens, at).as_deref() == Some(name) && is_group(tokens, at + 1).is_some(),
    })
}

/// Every purpose that a stream is made for.
fn purposes(mut functions: Vec<Function>) -> Words {
    let first = functions.iter_mut().find(|f| {
        f.owner.as_deref() == Some("Streams") && f.name == "purpose" && f.parameters.len() == 2
    });
    first.unwrap().purposes = words("\u{0}0\u{0}");
    let mut all = Words::new();
    loop {
        let mut grown = false;
        for i in 0..functions.len() {
            let function = &functions[i];
            let mut names = Names::new();
            for (place, name) in function.parameters.iter().enumerate() {
                let hole = words(format!("\0{place}\0"));
                names.insert(name.clone(), Meaning::Words(hole));
            }
            let mut reader = Reader { functions: &functions, function, found: Words::new() };
            reader.read(&function.body, &mut names);
            for purpose in reader.found {
                let known =
                    if purpose.contains('\0') { &mut functions[i].purposes } else { &mut all };
                grown |= known.insert(purpose);
            }
        }
        if !grown {
            return all;
        }
    }
}

#[test]
fn purposes_of_random_streams_are_listed() {
    let mut all = Vec::new();
    for name in ["ancestral-data", "ancestral", "ancestral-cli"] {
        all.extend(functions(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"),
        ));
    }
    let found = purposes(all);
    let listed = listed("Purposes of random streams");
    let listed: Words = listed.iter().flat_map(|row| row.words()).collect();
    assert_listed("purposes of random streams", &found, &listed);
}

/// The reading of sources itself, on a crate of a few lines.
#[test]
fn purposes_are_found_through_parameters_closures_and_formats() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write(
        "lib.rs",
        r#"
        mod order;
        #[cfg(test)] mod tests;
        impl Streams {
            fn purpose(self, purpose: &str, epoch: u64) -> Purpose { hash(purpose) }
            fn item(self, purpose: &str, epoch: u64, index: u64) { self.purpose(purpose, epoch).item(index) }
        }
        impl Layer {
            fn init(size: usize, name: &str) { Streams::new(0).item(&format!("init {name}"), 0, 0) }
        }
        impl Network {
            fn init(sizes: &[usize], part: &str) {
                for (i, &size) in sizes.iter().enumerate() {
                    let part = format!("{part}.{i}");
                    Layer::init(size, &part);
                }
                let head = |size: usize, name: &str| Layer::init(size, name);
                Self { head: head(1, "head"), last: Layer::init(1, part) }
            }
        }
        fn noise(streams: Streams, what: &str) {
            let draws = |what: &str| streams.purpose(&format!("noise{what}"), 0);
            let pairs = |what: &str| draws(what);
            (draws(""), pairs(" pairs"), streams.purpose(what, 1))
        }
        fn all(some: usize) {
            Network::init(&[1], "a");
            Network::init(&[1], "b");
            let (purpose, index) = match some { 0 => ("even", 1), _ => { ("odd", 2) } };
            order::random(Streams::new(0), purpose, index);
            noise(Streams::new(0), if some > 0 { "more" } else { "less" });
            let each = |(i, x): (usize, u8)| order::random(s, &format!("each {i}"), 0);
            [1].map(each);
            println!("{}", order::random(s, "in a macro", 0));
            println!("not a purpose");
        }
        "#,
    );
    write(
        "order.rs",
        r#"pub fn random(streams: Streams, purpose: &str, index: u64) { streams.item(purpose, 0, index) }
        #[cfg(test)] mod tests { fn f() { super::random(s, "test", 0) } }"#,
    );
    let found = purposes(functions(dir.path()));
    let expected = [
        "each *",
        "even",
        "in a macro",
        "init a",
        "init a.*",
        "init b",
        "init b.*",
        "init head",
        "less",
        "more",
        "noise",
        "noise pairs",
        "odd",
    ];
    assert_eq!(found.iter().collect::<Vec<_>>(), expected);
}
