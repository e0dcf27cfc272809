use super::*;

const PERSON: &str = "pii.person";

#[test]
fn known_names() {
    for (text, name) in [
        ("I spoke to Anna Kowalczyk yesterday.", "Anna Kowalczyk"),
        ("John Michael Smith will join us", "John Michael Smith"),
        ("by Jean-Pierre Dubois, Paris", "Jean-Pierre Dubois"),
        ("Maria de la Cruz called", "Maria de la Cruz"),
        ("ask Ludwig van Beethoven.", "Ludwig van Beethoven"),
        ("Sean O'Brien's order", "Sean O'Brien"),
        ("J. R. Henderson agreed", "J. R. Henderson"),
        ("Franklin D. Roosevelt wrote", "Franklin D. Roosevelt"),
        ("MARIA ROSSI, born", "MARIA ROSSI"),
        ("Kovács Péter aláírta", "Kovács Péter"),
        ("с Анной говорил Иван Петров вчера", "Иван Петров"),
        ("**Karin Müller** agreed", "Karin Müller"),
        ("text\\nPeter Schmidt", "Peter Schmidt"),
        ("Hans Xylander agreed", "Hans Xylander"),
        ("we met Xoltan Johansson there", "Xoltan Johansson"),
    ] {
        finds(PERSON, text, name);
    }
}

#[test]
fn names_by_what_is_before() {
    for (text, name) in [
        ("Dear Anna, thank you", "Anna"),
        ("Mr. Xyloto said", "Xyloto"),
        ("MRS SMITH IS", "SMITH"),
        ("Frau Dr. Brandt kommt", "Brandt"),
        ("my name is Zorblax", "Zorblax"),
        ("mein Name ist Zorblax.", "Zorblax"),
        ("me llamo Xiomara y", "Xiomara"),
        ("Best regards,\nPiotr\n", "Piotr"),
        ("Mit freundlichen Grüßen\n\nUlrike Zabel\n", "Ulrike Zabel"),
        ("Surname: Zorblax\n", "Zorblax"),
        ("<td>Nachname</td><td>Zorblax</td>", "Zorblax"),
        ("{\"firstName\": \"Zorblax\"}", "Zorblax"),
        ("full_name=Zorblax Quux\n", "Zorblax Quux"),
        ("Patient: Johnson\n", "Johnson"),
        ("Name: Anna Brown\n", "Anna Brown"),
        ("姓名：王伟。", "王伟"),
        ("氏名: 近藤 浩\n", "近藤 浩"),
        ("이름 김정웅.", "김정웅"),
        ("नाम: संदीप चतुर्वेदी\n", "संदीप चतुर्वेदी"),
    ] {
        finds(PERSON, text, name);
    }
}

#[test]
fn no_names() {
    for text in [
        "Dear Customer, Dear Sir or Madam",
        "name: Build Release",
        "\"name\": \"San Marcos\"",
        "pub given_name: String, tenant: Option<String>",
        "if name is None: return Server",
        "Copyright (c) 2015 Steven Allen",
        "@author Helena Shih",
        "rue Victor Hugo, Calle de Ofelia Castro",
        "557 Bowman Brook",
        "the Ada Lovelace Institute, Anna Smith Foundation",
        "Jenkins Pipeline and Docker Compose",
        "Will May come? Mark the Page.",
        "std::Anna::Smith, Anna.Smith, /Anna Smith",
        "JavaScript, ReadMe and MacOS",
        "The Quick Brown Fox",
        "Monday Morning, New York, United States",
    ] {
        passes(PERSON, text);
    }
}
