mod numbers;

use crate::{Detectors, Finding};
use numbers::NUMBERS;

fn ids() -> Detectors {
    Detectors::compile(&["pii.national_id.*", "pii.passport", "pii.driver_license"]).unwrap()
}

fn found(text: &str) -> Vec<Finding> {
    let mut out = Vec::new();
    _ = ids().scan(text, &mut out);
    out
}

/// The one finding's detector, without its family, its text and its confidence.
#[track_caller]
fn only(text: &str) -> (&'static str, &str, u8) {
    let found = found(text);
    assert_eq!(found.len(), 1, "{text:?}: {found:?}");
    let name = found[0].detector.rsplit('.').next().unwrap();
    (
        name,
        &text[found[0].start..found[0].end],
        found[0].confidence_percent,
    )
}

#[track_caller]
fn none(text: &str) {
    assert_eq!(found(text), [], "{text:?}");
}

/// The number with its last digit raised by one.
fn spoilt(number: &str) -> String {
    let at = number.rfind(|c: char| c.is_ascii_digit()).unwrap();
    let digit = (number.as_bytes()[at] - b'0' + 1) % 10;
    format!("{}{digit}{}", &number[..at], &number[at + 1..])
}

#[test]
fn numbers_near_their_word_are_found_as_what_they_are() {
    let detectors = ids();
    let mut out = Vec::new();
    for (name, word, numbers) in NUMBERS {
        for number in *numbers {
            for text in [
                format!("{word}: {number}"),
                format!("My {word} is {number}, thanks."),
                format!("{{\"{word}\": \"{number}\"}}"),
                format!("{number} ({word})"),
            ] {
                out.clear();
                _ = detectors.scan(&text, &mut out);
                assert_eq!(out.len(), 1, "{text:?}: {out:?}");
                assert!(out[0].detector.ends_with(name), "{text:?}: {out:?}");
                assert_eq!(&text[out[0].start..out[0].end], *number);
                assert!(
                    out[0].confidence_percent >= 80 && out[0].explanation.ends_with("near a word for it")
                        || !text.starts_with(word),
                    "{out:?}"
                );
            }
        }
    }
}

#[test]
fn a_wrong_check_digit_makes_another_number_of_it() {
    // What has no check digit, or two shapes of which one has none.
    const UNCHECKED: &[&str] = &[
        "us_ssn",
        "us_itin",
        "uk_nino",
        "dk_cpr",
        "kr_rrn",
        "pk_cnic",
        "my_mykad",
        "id_nik",
        "in_voter_id",
        "in_pan",
        "mx_rfc",
        "de_id_card",
        "ec_cedula",
        "uy_cedula",
        "do_cedula",
        "tw_id",
        "fr_nir",
        "au_medicare",
        "is_kennitala",
    ];
    for (name, word, numbers) in NUMBERS.iter().filter(|(name, ..)| !UNCHECKED.contains(name)) {
        for number in *numbers {
            let text = format!("{word}: {}", spoilt(number));
            assert!(
                found(&text).iter().all(|f| !f.detector.ends_with(name)),
                "{text:?}: {:?}",
                found(&text)
            );
        }
    }
}

#[test]
fn what_is_longer_is_no_id() {
    for (_, _, numbers) in NUMBERS {
        for number in *numbers {
            for text in [
                format!("9{number}"),
                format!("{number}7"),
                format!("{number}a"),
                format!("Q{number}Q"),
            ] {
                let found = found(&text);
                assert!(
                    found.iter().all(|f| text[f.start..f.end].len() != number.len()),
                    "{text:?}: {found:?}"
                );
            }
        }
    }
}

#[test]
fn a_bare_row_of_digits_needs_a_word() {
    none("123456782 and 046454286 and 12345678903");
    assert_eq!(only("BSN 111222333"), ("nl_bsn", "111222333", 97));
    assert_eq!(only("customerSSN=536221234"), ("us_ssn", "536221234", 85));
    assert_eq!(only("user_ssn: 536221234"), ("us_ssn", "536221234", 85));
    none("assn 536221234");
    none("session 536221234");
    assert_eq!(only("ssn,name\n536221234,Ann"), ("us_ssn", "536221234", 85));
    none("536221234\nssn unknown");
    none(&format!("SSN {} 536221234", "x ".repeat(40)));
}

#[test]
fn the_nearest_word_decides() {
    assert_eq!(only("SSN or SIN 046454286"), ("ca_sin", "046454286", 95));
    assert_eq!(only("SIN or SSN 046454286"), ("us_ssn", "046454286", 85));
    none("SSN on file, phone 536221234");
    assert_eq!(only("phone or SSN 536221234"), ("us_ssn", "536221234", 85));
}

#[test]
fn ranges_that_are_not_issued() {
    for number in [
        "000-12-3456",
        "666-12-3456",
        "912-49-3456",
        "123-00-4567",
        "123-45-0000",
        "222-22-2222",
    ] {
        none(&format!("SSN {number}"));
    }
    for number in [
        "BG123456A",
        "DA123456A",
        "AO123456A",
        "AB123456E",
        "ZZ 12 34 56 C",
    ] {
        none(number);
    }
    assert_eq!(only("NI number ZZ 12 34 56 T").0, "uk_nino");
    none("110105194912310021");
    none("990105194912310020");
}

#[test]
fn years_dates_and_times_are_no_ids() {
    none("2019 2020 2021");
    none("20231124-1530 231124-1530 2023-11-24 15:30:00");
    none("DNI 20240131");
    none("cédula del 20240131");
}

#[test]
fn a_number_stands_alone() {
    none("550e8400-e29b-41d4-a716-446655440000");
    none("1.536-22-1234");
    none("536-22-1234.5");
    none("+536-22-1234");
    none("https://example.org/536-22-1234/");
    assert_eq!(only("\\n536-22-1234\\n").1, "536-22-1234");
    assert_eq!(only("id=536-22-1234.").1, "536-22-1234");
    assert_eq!(only("号11010519491231002X。").1, "11010519491231002X");
    none("é11010519491231002X");
}

#[test]
fn passports_and_licences_need_a_word() {
    none("C01X00T47 123456789 X1234567");
    for (text, number) in [
        ("Passport No. 533401234", "533401234"),
        ("my passport number is X1234567", "X1234567"),
        ("Reisepassnummer: C01X00T47", "C01X00T47"),
        ("passeport n° 12AB34567", "12AB34567"),
        ("номер паспорта 45 08 123456", "45 08 123456"),
        ("паспорт 4508 123456", "4508 123456"),
        ("护照号码：E12345678", "E12345678"),
        ("AB1234567 (passport)", "AB1234567"),
        ("{\"passport\":\"L8988901\"}", "L8988901"),
        ("<td>passport</td><td>L8988901</td>", "L8988901"),
        ("passport L8988901<br>", "L8988901"),
        ("cestovní doklad, pas: AB1234567", "AB1234567"),
    ] {
        assert_eq!((only(text).0, only(text).1), ("passport", number));
    }
    none("passport.js 0.4.1, passport 2024");
    none("passport L8988901<3");
    none("pass: 12345678, boarding pass 12345678");
    assert_eq!(
        only("licence MORGA657054SM9IJ"),
        ("driver_license", "MORGA657054SM9IJ", 92)
    );
    assert_eq!(only("Driver's License: D1234567").0, "driver_license");
}

#[test]
fn machine_readable_zones() {
    // The specimen of ICAO 9303, part 4, appendix B.
    const FIRST: &str = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<";
    const SECOND: &str = "L898902C36UTO7408122F1204159ZE184226B<<<<<10";
    for between in ["\n", "\r\n", "\\n"] {
        let zone = format!("{FIRST}{between}{SECOND}");
        for text in [
            zone.clone(),
            format!("scan:\n{zone}\nend"),
            format!("{{\"mrz\":\"{zone}\"}}"),
        ] {
            assert_eq!(only(&text), ("passport", zone.as_str(), 99));
        }
    }
    assert_eq!(only(&format!("second line {SECOND}.")), ("passport", SECOND, 98));
    assert_eq!(only(&format!("first line {FIRST}")), ("passport", FIRST, 80));
    none(&SECOND.replace("F12", "F13"));
    none(&format!("{SECOND}<"));
    none("vec<u8>; P<T>; A<<B<<C; cat <<EOF >OUT<<<");
}

#[test]
fn words_are_known_as_written_and_as_folded() {
    for text in [
        "numéro de sécurité sociale 2 44 01 2A 898 129",
        "numero de securite sociale 2 44 01 2A 898 129",
        "rodné číslo 7103192745",
        "rodne cislo 7103192745",
        "fødselsnummer 15108695088",
        "fodselsnummer 15108695088",
        "ИНН 500100732259",
        "инн 500100732259",
    ] {
        only(text);
    }
}
