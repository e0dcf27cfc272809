//! Source hosting, builds, package registries and code analysis.

use super::{
    ALNUM, BASE64, BASE64_AND_SUM, Detector, UPPER, URL_SAFE, WORD, checked, dotted, exact, hexadecimal, key,
    mixed, random,
};

pub(super) const DETECTORS: &[Detector] = &[
    detector!(
        "github",
        99,
        [
            key("ghp_", &ALNUM, 36),
            key("gho_", &ALNUM, 36),
            key("ghu_", &ALNUM, 36),
            key("ghs_", &ALNUM, 36),
            key("ghr_", &ALNUM, 36),
            key("github_pat_", &WORD, 50),
        ]
    ),
    detector!(
        "gitlab",
        99,
        [
            dotted("glpat-", 20, random),
            dotted("gldt-", 20, random),
            dotted("glrt-", 20, random),
            dotted("glrtr-", 20, random),
            dotted("glcbt-", 20, random),
            dotted("glptt-", 20, random),
            dotted("glsoat-", 20, random),
            dotted("glft-", 20, random),
            dotted("glimt-", 20, random),
            dotted("glagent-", 20, random),
            dotted("gloas-", 20, random),
            dotted("glffct-", 20, random),
            dotted("glwt-", 20, random),
            key("GR1348941", &URL_SAFE, 20),
            exact("_gitlab_session=", &ALNUM, 32, hexadecimal),
        ]
    ),
    detector!(
        "bitbucket",
        95,
        [
            key("ATBB", &ALNUM, 28),
            key("ATCTT3", &BASE64_AND_SUM, 60),
            key("BBDC-", &BASE64, 40)
        ]
    ),
    detector!("npm", 99, [key("npm_", &ALNUM, 36)]),
    detector!("pypi", 99, [key("pypi-AgE", &URL_SAFE, 50)]),
    detector!(
        "docker",
        99,
        [key("dckr_pat_", &URL_SAFE, 24), key("dckr_oat_", &URL_SAFE, 24)]
    ),
    detector!("rubygems", 95, [key("rubygems_", &ALNUM, 40)]),
    detector!("crates_io", 95, [exact("cio", &ALNUM, 32, mixed)]),
    detector!("nuget", 95, [exact("oy2", &ALNUM, 43, lower)]),
    detector!("clojars", 99, [key("CLOJARS_", &ALNUM, 60)]),
    detector!(
        "jfrog",
        95,
        [key("AKCp", &ALNUM, 60), exact("cmVmdGtuOj", &ALNUM, 54, random),]
    ),
    detector!(
        "circleci",
        95,
        [key("CCIPAT_", &WORD, 40), key("CCIPRJ_", &WORD, 40)]
    ),
    detector!(
        "buildkite",
        95,
        [
            key("bkua_", &ALNUM, 40),
            key("bkpt_", &ALNUM, 40),
            key("bkct_", &ALNUM, 40)
        ]
    ),
    detector!("travis", 80, []),
    detector!("codecov", 80, []),
    detector!(
        "sonar",
        95,
        [
            exact("squ_", &ALNUM, 40, hexadecimal),
            exact("sqp_", &ALNUM, 40, hexadecimal),
            exact("sqa_", &ALNUM, 40, hexadecimal),
            exact("sqb_", &ALNUM, 40, hexadecimal),
        ]
    ),
    detector!(
        "snyk",
        85,
        [key("snyk_uat.", &URL_SAFE, 40), key("snyk_sat.", &URL_SAFE, 40)]
    ),
    detector!("semgrep", 95, [exact("sgp_", &WORD, 64, hexadecimal)]),
    detector!(
        "sourcegraph",
        95,
        [
            checked("sgp_", &WORD, 40, sourcegraph),
            key("slk_", &ALNUM, 64),
            key("sgd_", &ALNUM, 64)
        ]
    ),
    detector!(
        "postman",
        99,
        [key("PMAK-", &URL_SAFE, 40), key("PMAT-", &ALNUM, 26)]
    ),
    detector!("readme", 95, [key("rdme_", &ALNUM, 60)]),
    detector!(
        "harness",
        95,
        [dotted("pat.", 50, harness), dotted("sat.", 50, harness)]
    ),
    detector!(
        "octopus",
        95,
        [
            exact("API-", &UPPER, 26, random),
            exact("API-", &UPPER, 25, random)
        ]
    ),
    detector!(
        "launchdarkly",
        90,
        [
            checked("api-", &super::UUID, 36, super::uuid),
            checked("sdk-", &super::UUID, 36, super::uuid),
            checked("mob-", &super::UUID, 36, super::uuid)
        ]
    ),
    detector!("prefix_dev", 90, [key("pfx_", &ALNUM, 32)]),
    detector!("age", 99, [key("AGE-SECRET-KEY-1", &UPPER, 50)]),
];

/// Small letters and digits, enough of each.
fn lower(body: &[u8]) -> bool {
    random(body) && !body.iter().any(u8::is_ascii_uppercase)
}

/// A token, perhaps after the instance it is for: `local_` or sixteen digits.
fn sourcegraph(body: &[u8]) -> bool {
    body.rsplit(|b| *b == b'_')
        .next()
        .is_some_and(|part| part.len() == 40 && part.iter().all(u8::is_ascii_hexdigit))
}

/// An account, an identifier in hexadecimal and a secret.
fn harness(body: &[u8]) -> bool {
    let mut parts = body.split(|b| *b == b'.').map(<[u8]>::len);
    (parts.next(), parts.next(), parts.next(), parts.next()) == (Some(22), Some(24), Some(20), None)
        && random(body)
}
