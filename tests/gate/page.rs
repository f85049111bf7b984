//! The HTML page in a real browser.

use std::process::Command;

use serde_json::json;

use crate::documents::{Place, document, repeated, result, with_measure, with_report};
use crate::readers::{python, script};

/// Opens the page, walks through it by keyboard alone, and tells what it finds. Screenshots are
/// kept beside the page.
const WALK: &str = r##"
import sys, json, time
from selenium import webdriver
from selenium.webdriver.common.by import By
options = webdriver.ChromeOptions()
for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--window-size=1500,1200", "--host-resolver-rules=MAP * ~NOTFOUND"]:
    options.add_argument(argument)
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
try:
    driver.get("file://" + sys.argv[1])
    text = lambda selector: driver.find_element(By.CSS_SELECTOR, selector).text
    run = driver.execute_script
    found = {"ready": run("return document.documentElement.dataset.ready"), "head": text("h1"),
             "first": text("#detail .name"), "bars": run("return document.querySelectorAll('#overview svg .hit').length"),
             "plots": run("return document.querySelectorAll('.plot').length"),
             "highlighted": run("return document.querySelectorAll('.console .rep').length"),
             "back": run("return getComputedStyle(document.body).backgroundColor")}
    driver.save_screenshot(sys.argv[1] + ".light.png")
    body = driver.find_element(By.TAG_NAME, "body")
    body.send_keys("j")
    found["second"] = text("#detail .name")
    body.send_keys("t")
    found["dark"] = run("return getComputedStyle(document.body).backgroundColor")
    driver.save_screenshot(sys.argv[1] + ".dark.png")
    body.send_keys("f")
    found["only bad"] = run("return document.querySelectorAll('#tests tbody tr').length")
    body.send_keys("?")
    found["help"] = run("return document.getElementById('help').open")
    found["log"] = [entry["message"] for entry in driver.get_log("browser")]
    found["requests"] = run("return performance.getEntriesByType('resource').map((e) => e.name).filter((n) => !n.startsWith('data:'))")
    print(json.dumps(found))
finally:
    driver.quit()
"##;

#[test]
fn the_page_works_in_a_browser_by_keyboard_alone_and_without_a_network() {
    let browser = Command::new("chromedriver").arg("--version").output();
    if browser.is_err() {
        eprintln!("NOT TESTED: no browser: apt-get install chromium chromium-driver");
        return;
    }
    let Some(python) = python() else { return };
    let place = Place::new();
    let mut crashed = with_report(result("mm/crash", "crash"), "f", false);
    std::fs::create_dir_all(place.path("in")).unwrap();
    std::fs::write(
        place.path("in/console.log"),
        "WARNING: at f </script><script>alert(1)</script>\n",
    )
    .unwrap();
    crashed["artifacts"] = json!(["console.log"]);
    let mut results = repeated("mm/a", 6, |id, n| {
        with_measure(result(id, "pass"), "ns", f64::from(u32::try_from(n).unwrap()))
    });
    results.extend([crashed, result("mm/fail", "fail"), result("mm/skip", "skip")]);
    place.save("in/results.json", &document("page", results));
    place.run(["report", "in", "--html", "page.html"]).assert(0, &[]);
    let found = script(python, WALK, &[&place.path("page.html")]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["log"], json!([]), "the console of the browser must be empty");
    assert_eq!(found["requests"], json!([]), "{found}");
    assert_eq!(found["ready"], "true");
    assert!(found["head"].as_str().unwrap().contains("NOT GOOD"), "{found}");
    assert!(
        found["first"].as_str().unwrap().contains("mm/crash"),
        "the worst comes first: {found}"
    );
    assert!(found["second"].as_str().unwrap().contains("mm/fail"), "{found}");
    assert_eq!(found["highlighted"], 1, "{found}");
    assert_eq!(found["plots"], 2, "{found}");
    assert!(found["bars"].as_u64().unwrap() >= 9, "{found}");
    assert_ne!(found["back"], found["dark"]);
    assert_eq!((&found["only bad"], &found["help"]), (&json!(2), &json!(true)), "{found}");
}
