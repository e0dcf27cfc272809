use super::*;

const IBAN: &str = "pii.iban";

/// Examples of the registry.
#[test]
fn countries() {
    for number in [
        "AD1200012030200359100100",
        "AT611904300234573201",
        "BE68539007547034",
        "CH9300762011623852957",
        "DE89370400440532013000",
        "DK5000400440116243",
        "ES9121000418450200051332",
        "FI2112345600000785",
        "FR1420041010050500013M02606",
        "GB29NWBK60161331926819",
        "IE29AIBK93115212345678",
        "IL620108000000099999999",
        "IT60X0542811101000000123456",
        "LC55HEMM000100010012001200023015",
        "MT84MALT011000012345MTLCAST001S",
        "NL91ABNA0417164300",
        "NO9386011117947",
        "PL61109010140000071219812874",
        "SA0380000000608010167519",
        "SE4550000000058398257466",
        "TR330006100519786457841326",
    ] {
        let groups: Vec<_> = number
            .as_bytes()
            .chunks(4)
            .map(|c| std::str::from_utf8(c).unwrap())
            .collect();
        for written in [
            number.to_owned(),
            number.to_lowercase(),
            groups.join(" "),
            groups.join("-"),
            groups.join("."),
        ] {
            finds(IBAN, &written, &written);
            for (before, after) in [
                ("IBAN: ", "."),
                ("(", ")"),
                ("iban=", "&x"),
                ("", " BIC X"),
                ("账号", "。"),
                ("x\\n", "\\n"),
            ] {
                finds(IBAN, &format!("{before}{written}{after}"), &written);
            }
        }
        let wrong = if number.ends_with('0') { "1" } else { "0" };
        passes(IBAN, &format!("{}{wrong}", &number[..number.len() - 1]));
    }
}

#[test]
fn not_ibans() {
    for text in [
        "DE8937040044053201300",
        "DE893704004405320130000",
        "xDE89370400440532013000",
        "DE89 37040044 0532 0130 00",
        "DE89 3704-0044 0532 0130 00",
        "DE89370400440532013000_1",
        "XX89370400440532013000",
        "De89370400440532013000",
        "DE89",
        "DE 89370400440532013000",
        "in 2024 we",
    ] {
        passes(IBAN, text);
    }
}

/// Ukraine's account part may be letters; only in capitals it is like no word.
#[test]
fn mostly_letters() {
    finds(
        IBAN,
        "to UA52763165XYNGCSSQTJGJBWVOKJU.",
        "UA52763165XYNGCSSQTJGJBWVOKJU",
    );
    passes(IBAN, "to ua52763165xyngcssqtjgjbwvokju.");
}
