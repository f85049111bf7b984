//! Memory debugging and memory that ran out.
//!
//! `mm/slub.c`, `mm/slab.c` (until 6.7), `mm/page_alloc.c`, `mm/memory.c`, `mm/oom_kill.c`, `lib/list_debug.c`,
//! `lib/refcount.c`, `lib/debugobjects.c`, `mm/usercopy.c`, `lib/string_helpers.c`.

use super::text::{between, canonical, word};
use super::{Headline, Rank, Recipe};
use crate::Kind;

pub(super) fn detect(message: &str) -> Option<Headline> {
    oom(message)
        .or_else(|| failed_allocation(message))
        .or_else(|| slab(message))
        .or_else(|| bad_state(message))
        .or_else(|| lead(message))
        .or_else(|| hardening(message))
}

fn oom(message: &str) -> Option<Headline> {
    let kill = |title: &str| Headline::new(Kind::new("oom.kill"), title).recipe(Recipe::Nobody);
    if message.contains(" invoked oom-killer: ") && message.contains("gfp_mask=0x") {
        return Some(kill("OOM kill"));
    }
    let out =
        message.starts_with("Out of memory") || message.starts_with("Memory cgroup out of memory");
    if out && (message.contains(": Killed process ") || message.contains(": Kill process ")) {
        return Some(kill("OOM kill").rank(Rank::Die));
    }
    let nobody = out && message.contains("and no killable processes");
    nobody.then(|| {
        Headline::new(Kind::new("oom.no-victim"), "OOM without a victim")
            .recipe(Recipe::Nobody)
            .rank(Rank::Die)
    })
}

/// `comm: page allocation failure: order:0, mode:0x…(GFP_…), nodemask=(null)`
fn failed_allocation(message: &str) -> Option<Headline> {
    let page = message.contains(": page allocation failure: order:")
        || message.contains(": page allocation failure. order:")
        || message.contains(": vmalloc: allocation failure")
        || message.contains(": vmalloc error: size ");
    if page && message.contains("mode:0x") {
        return Some(Headline::new(
            Kind::new("page-allocation-failure"),
            "page allocation failure",
        ));
    }
    message.starts_with("Unable to allocate memory on ").then(|| {
        Headline::new(Kind::new("slab-allocation-failure"), "slab allocation failure")
            .recipe(Recipe::Nobody)
    })
}

/// Slab corruption, as each of the allocators reports it.
fn slab(message: &str) -> Option<Headline> {
    slub(message).or_else(|| old_slab(message))
}

/// `mm/slab.c`: `slab error in verify_redzone_free(): cache `x': …`, `Slab corruption (Not tainted): kmalloc-64 start=…`.
fn old_slab(message: &str) -> Option<Headline> {
    let error = message.starts_with("slab error in ") && message.contains("(): cache ");
    let corrupt = message.starts_with("Slab corruption (") && message.contains("start=");
    let what = if error {
        message.rsplit_once(": ").map_or("error", |(_, what)| what)
    } else {
        "Poison overwritten"
    };
    (error || corrupt).then(|| {
        let title = canonical(&format!("BUG: {what}"));
        Headline::new(Kind::of_words("slab", what), title).if_stamped()
    })
}

/// `BUG kmalloc-64 (Tainted: G    B): Redzone overwritten`
fn slub(message: &str) -> Option<Headline> {
    if let Some(what) = overwritten(message) {
        let headline = Headline::new(Kind::of_words("slab", what), format!("BUG: {what}"));
        return Some(headline.recipe(Recipe::Allocation).rank(Rank::Lead).if_proved());
    }
    let rest = message.strip_prefix("BUG ")?;
    let (cache, tail) = rest.split_once(" (")?;
    let (taint, what) = tail.split_once("): ")?;
    // Until 4.7 KASAN had the object printed by the allocator, inside its own report (`mm/kasan/report.c`).
    if what == "kasan: bad access detected" {
        return None;
    }
    let tainted = taint.contains("ainted");
    let what = what
        .split(" 0x")
        .next()?
        .trim_end_matches(|c: char| c == '.' || c == '!' || c.is_whitespace());
    (tainted && !cache.is_empty()).then(|| {
        Headline::new(Kind::of_words("slab", &slab_words(what)), canonical(&format!("BUG: {what}")))
            .recipe(Recipe::Allocation)
    })
}

/// `[Right Redzone overwritten] 0x…-0x… @offset=64. First byte 0x1 instead of 0xcc`: since 6.14 in front of the report,
/// whose own line only says `Object corrupt` (`mm/slub.c: check_bytes_and_report`).
fn overwritten(message: &str) -> Option<&str> {
    let (what, rest) = message.strip_prefix('[')?.split_once("] 0x")?;
    (what.ends_with(" overwritten") && rest.contains(" instead of ")).then_some(what)
}

/// Without the cache's name, which some messages repeat.
fn slab_words(what: &str) -> String {
    let (words, _) = what.split_once(" on __kmem_cache_shutdown").unwrap_or((what, ""));
    let words = words.split(" in ").next().unwrap_or_default();
    let words = words.split(['.', ',']).next().unwrap_or_default();
    if words.starts_with("Slab has ") && what.contains("are to be freed") {
        return "double free".to_owned();
    }
    canonical(words)
}

/// Starts of lines, kinds, titles.
const STATES: [(&str, &str, &str); 7] = [
    ("Bad page state in process", "memory.bad-page", "BUG: Bad page state"),
    ("Bad page cache in process", "memory.bad-page-cache", "BUG: Bad page cache"),
    ("Bad page map in process", "memory.bad-page-map", "BUG: Bad page map"),
    ("Bad rss-counter state", "memory.bad-rss-counter", "BUG: Bad rss-counter state"),
    (
        "non-zero pgtables_bytes on freeing mm",
        "memory.pgtables-leak",
        "BUG: non-zero pgtables_bytes on freeing mm",
    ),
    (
        "mempool element poison mismatch",
        "memory.mempool-poison",
        "BUG: mempool element poison mismatch",
    ),
    (
        "non-zero nr_ptes on freeing mm",
        "memory.pgtables-leak",
        "BUG: non-zero nr_ptes on freeing mm",
    ),
];

fn bad_state(message: &str) -> Option<Headline> {
    // `mm/page_poison.c: check_poison_mem`
    let poison = message.strip_prefix("pagealloc: ");
    if poison.is_some_and(|what| what == "memory corruption" || what == "single bit error") {
        let title = "pagealloc: memory corruption";
        return Some(Headline::new(Kind::new("memory.page-poison"), title).if_stamped());
    }
    let body = message.strip_prefix("BUG: ")?;
    let &(_, kind, title) = STATES.iter().find(|(line, ..)| body.starts_with(line))?;
    let counter = body.starts_with("Bad rss") || body.starts_with("non-zero");
    let recipe = if counter { Recipe::Nobody } else { Recipe::Trace };
    Some(Headline::new(Kind::new(kind), title).recipe(recipe))
}

/// What stands in front of the `WARN` or `BUG` that it causes.
fn lead(message: &str) -> Option<Headline> {
    let make = |kind: Kind, title: &str| {
        Some(Headline::new(kind, title).recipe(Recipe::Exception).rank(Rank::Lead).if_proved())
    };
    if let Some(what) = message.strip_prefix("refcount_t: ") {
        let what = what.split([';', '.']).next()?;
        return make(Kind::of_words("refcount", what), "WARNING: refcount bug");
    }
    if ["list_add ", "list_del ", "list_add(", "list_del("]
        .iter()
        .any(|head| message.starts_with(head))
        && (message.contains("corruption") || message.contains("double add"))
    {
        return make(Kind::new("list-corruption"), "BUG: corrupted list");
    }
    if let Some(what) = message.strip_prefix("ODEBUG: ")
        && message.contains("object")
        && (message.contains("active state") || message.contains("annotated"))
    {
        return make(Kind::of_words("debug-objects", word(what)), "WARNING: ODEBUG bug");
    }
    if message.starts_with("kobject: '") && message.contains(" is being called.")
        || message.starts_with("kobject: '") && message.contains("): tried to ")
    {
        return make(Kind::new("kobject"), "WARNING: kobject bug");
    }
    None
}

fn hardening(message: &str) -> Option<Headline> {
    let make = |kind: Kind, title: String| {
        Some(Headline::new(kind, title).recipe(Recipe::Exception).rank(Rank::Lead).if_proved())
    };
    if let Some(what) = between(message, "ernel memory ", " attempt detected")
        && (message.starts_with("Kernel memory ") || message.starts_with("kernel memory "))
    {
        return make(
            Kind::of_words("usercopy", what),
            format!("BUG: bad usercopy: kernel memory {what}"),
        );
    }
    if let Some(place) = message.strip_prefix("detected buffer overflow in ") {
        return make(
            Kind::new("fortify.overflow"),
            format!("kernel BUG: buffer overflow in {}", word(place)),
        );
    }
    if message.contains("detected field-spanning write") && message.starts_with("memcpy: ") {
        return make(
            Kind::new("fortify.field-spanning-write"),
            "memcpy: detected field-spanning write".to_owned(),
        );
    }
    if let Some((function, _)) = message.split_once(": detected buffer overflow: ")
        && word(message).starts_with(function)
    {
        return make(
            Kind::new("fortify.overflow"),
            format!("kernel BUG: buffer overflow in {function}"),
        );
    }
    if message.starts_with("Missing ENDBR: ") {
        return make(Kind::new("oops.control-protection"), "control protection fault".to_owned());
    }
    if message.starts_with("CFI failure ") {
        return make(Kind::new("cfi"), "CFI failure".to_owned());
    }
    None
}
