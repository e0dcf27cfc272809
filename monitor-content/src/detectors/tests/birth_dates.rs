use super::*;

const BIRTH: &str = "pii.birth_date";

#[test]
fn dates_of_birth() {
    for (text, date) in [
        ("born 1985-03-12 in Rome", "1985-03-12"),
        ("DOB: 03/12/1985.", "03/12/1985"),
        ("date of birth is 12.3.1985,", "12.3.1985"),
        ("dateOfBirth\":\"1985-03-12T00:00:00Z\"", "1985-03-12"),
        ("geboren am 12. März 1985 in", "12. März 1985"),
        ("née le 12 mars 1985 à", "12 mars 1985"),
        ("Il est né le 12 mars 1985.", "12 mars 1985"),
        ("Fecha de nacimiento: 12 de marzo de 1985", "12 de marzo de 1985"),
        ("data di nascita 12/03/85", "12/03/85"),
        ("She was born on March 12, 1985.", "March 12, 1985"),
        ("birthday: 12th of June 1990", "12th of June 1990"),
        ("geboortedatum 12-03-1985", "12-03-1985"),
        ("生年月日: 1985年3月12日", "1985年3月12日"),
        ("出生日期:1985-03-12。", "1985-03-12"),
        ("DOB 19850312", "19850312"),
        ("Дата рождения: 12.03.1985", "12.03.1985"),
        ("birthdate 12-Mar-1985", "12-Mar-1985"),
        ("Geb. 12. 3. 1985", "12. 3. 1985"),
        ("ημερομηνία γέννησης: 12.03.1985", "12.03.1985"),
        ("születési dátum: 1985.03.12", "1985.03.12"),
        ("जन्म तिथि\t12/03/1985", "12/03/1985"),
    ] {
        finds(BIRTH, text, date);
    }
}

#[test]
fn not_dates_of_birth() {
    for text in [
        "released 1985-03-12",
        "Il ne vient pas le 12 mars 1985",
        "organe le 12 mars 1985",
        "born 1885-03-12",
        "born 1985-13-32",
        "born in 1985",
        "born 1.2.3",
        "born and raised. The invoice of 1985-03-12",
        "DOB unknown, expires 2025-03-12",
        "airborne 1985-03-12",
        "born 12 people 1985",
        "born 1985-03-12-07",
    ] {
        passes(BIRTH, text);
    }
}
