//! Words before a name that say that it is one, or what else it is; of phrases the last word. In small letters and as the fold
//! leaves them: Latin letters without marks.

use std::sync::LazyLock;

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cue {
    /// `Mrs`: a family name follows, known or not.
    Title,
    /// `M.`, `Don`, `Bay`: the same, when the name is known.
    Short,
    /// `Dear`: a known name follows.
    Greeting,
    /// `my name is`, `me llamo`: a name follows, known or not.
    Introduction,
    /// `I am`, `called`, `by`: a known name follows.
    Hint,
    /// `surname:`: what follows is a name.
    Label,
    /// `surname` and a space.
    Spaced,
    /// `customer:`: a person's name may follow.
    Role,
    /// `name:`: of a person, or of anything.
    Name,
    /// `Regards,` in the line before.
    Signature,
    /// `rue`, `Saint`: what follows is called after somebody.
    Namesake,
    /// `the`: what follows may be.
    Article,
    /// `author:`, `maintainer`: who made their names public themselves.
    Notice,
}

#[rustfmt::skip]
const WORDS: &[(Cue, &[&str])] = &[
    (Cue::Title, &[
        "mr", "mrs", "ms", "mx", "miss", "sir", "madam", "dr", "prof", "professor", "doctor", "herr", "herrn", "frau", "mme", "mlle", "monsieur", "madame",
        "mademoiselle", "sra", "srta", "senor", "senora", "dona", "dra", "senhor", "senhora", "signor", "signora", "dott", "dottoressa",
        "dhr", "mevr", "mevrouw", "meneer", "pani", "fru", "shri", "г-н", "г-жа", "господин", "госпожа", "пан", "пані",
    ]),
    (Cue::Short, &["m", "fr", "sr", "don", "sig", "pan", "pana", "hr", "smt", "bay", "bayan", "rev", "capt", "col", "gen", "lt", "sgt", "president", "senator", "judge", "officer", "producer", "director", "detective", "nurse", "uncle", "aunt", "king", "queen", "prince", "princess"]),
    (Cue::Greeting, &[
        "dear", "hi", "hello", "hey", "hallo", "liebe", "lieber", "cher", "chere", "bonjour", "estimado", "estimada", "querido", "querida", "hola", "ola", "caro",
        "cara", "gentile", "ciao", "beste", "geachte", "ahoj", "drogi", "droga", "czesc", "szanowny", "szanowna", "hej", "kara", "kaere", "kjaere", "уважаемый",
        "уважаемая", "привет", "здравствуйте", "дорогой", "дорогая", "шановний", "шановна", "привіт", "sevgili", "sayin", "kedves", "draga", "mily", "mila",
    ]),
    (Cue::Introduction, &["heisse", "heisst", "m'appelle", "s'appelle", "llamo", "chiamo", "chamo", "heet", "зовут", "jmenuji", "heter", "hedder", "звати"]),
    (Cue::Hint, &[
        "am", "is", "i'm", "bin", "ist", "es", "e", "jest", "on", "soy", "sono", "sou", "ik", "sie", "je", "suis", "called", "named", "by", "with", "from", "de", "del", "della", "do", "to", "for", "ask", "tell", "call", "meet", "met",
        "cc", "ne", "nee", "geb", "von", "bei", "avec", "par", "con", "por", "da", "door", "przez", "and", "und", "et", "y", "en",
    ]),
    (Cue::Label, &[
        
        "surname", "fullname", "firstname", "lastname", "forename", "givenname", "familyname", "nachname", "vorname",
        "vornamen", "familienname", "nom", "noms", "prenom", "prenoms", 
        "nombre", "nombres", "apellido", "apellidos", "nome", "cognome", "sobrenome", "naam", "voornaam", "achternaam", "imie", "nazwisko", 
        "jmeno", "prijmeni", "meno", "priezvisko", "ime", "prezime", "namn", "efternamn", "fornamn", "navn", "fornavn", "etternavn", "efternavn", "nimi", "sukunimi", "etunimi", 
        "nev", "vezeteknev", "nume", "prenume", "vardas", "pavarde", "vards", "uzvards", "ad", "adi", "soyad", "soyadi", "isim", "nama", "όνομα", "ονοματεπώνυμο", "επώνυμο", "имя",
        "фамилия", "фио", "ім'я", "прізвище", "піб", "име", "фамилно", "नाम", "名前", "姓名", "氏名", "お名前", "お客様名", "名字", "이름", "성명",
        "الاسم", "שם", "ชื่อ", "نام",
    ]),
    (Cue::Role, &[
        "patient", "patientin", "patients", "customer", "client", "applicant", "employee", "passenger", "cardholder", "recipient", "payee", "beneficiary", "borrower", "tenant", "guest", "student", "witness", "salesperson", "signed", "kunde",
        "kundin", "inhaber", "kontoinhaber", "mieter", "mitarbeiter", "passagier", "cliente", "paciente", "paziente", "klant", "klient", "pacjent", "zakaznik", "клиент", "пациент", "клієнт", "пацієнт", "attn", "contact",
    ]),
    (Cue::Name, &["name"]),
    (Cue::Signature, &[
        "regards", "sincerely", "faithfully", "truly", "yours", "cheers", "thanks", "best", "wishes", "grusse", "grussen", "gruss", "cordialement", "salutations", "amicalement",
        "saludos", "atentamente", "saluti", "cordialmente", "atenciosamente", "abracos", "abraco", "cumprimentos", "groet", "groeten", "pozdrawiam", "powazaniem", "pozdravem", "halsningar", "hilsen", "terveisin",
        "уважением", "повагою", "udvozlettel", "saygilarimla", "stima",
    ]),
    (Cue::Namesake, &[
        "st", "saint", "rue", "avenue", "boulevard", "place", "quai", "chemin", "allee", "impasse", "via", "viale", "piazza", "corso", "vicolo", "contrada", "largo", "calle", "avenida", "plaza", "paseo", "pasaje",
        "camino", "ronda", "rambla", "glorieta", "alameda", "callejon", "acceso", "urbanizacion", "cuesta", "vial", "pasadizo", "rua", "praca", "travessa", "jardim", "rodovia", "loteamento", "trecho", "favela", "estacao", "ul", "ulica",
        "plac", "aleja", "str", "strada", "bulevardul", "aleea", "drumul", "intrarea", "calea", "username", "улица", "ул", "вул", "пер",
    ]),
    (Cue::Article, &["the", "a", "an", "der", "die", "das", "le", "la", "les", "el", "los", "il"]),
    (Cue::Notice, &["author", "authors", "maintainer", "maintainers", "contributor", "contributors", "copyright", "co-author", "co-authored-by", "uploaders"]),
];
/// Before `name`: whose it is.
#[rustfmt::skip]
const PERSONS: &[&str] = &[
    "full", "first", "last", "middle", "given", "family", "maiden", "birth", "legal", "preferred", "real", "patient", "patient's", "customer", "client", "employee", "applicant", "contact", "cardholder", "cardholders", "holder",
    "account", "beneficiary", "recipient", "sender", "passenger", "guest", "student", "spouse", "mein", "mi", "mon", "mio", "meu", "mijn", "moje", "father's", "mother's", "father", "mother", "person", "billing", "shipping", "your", "my", "his", "her", "their", "candidate", "doctor",
];

/// Longest of the words.
pub(super) const MAX_WORD_BYTES: usize = 30;

static CUES: LazyLock<Vec<(&'static [u8], Cue)>> = LazyLock::new(|| {
    let all = WORDS
        .iter()
        .flat_map(|(cue, words)| words.iter().map(|word| (word.as_bytes(), *cue)));
    let mut all: Vec<_> = all.collect();
    // By length first: it tells most words apart without looking at them.
    all.sort_unstable_by_key(|(word, _)| (word.len(), *word));
    all
});

/// What a word in small letters says.
pub(super) fn of(word: &[u8]) -> Option<Cue> {
    let at = CUES
        .binary_search_by_key(&(word.len(), word), |(known, _)| (known.len(), known))
        .ok()?;
    CUES.get(at).map(|(_, cue)| *cue)
}

/// Whether a name after this word is a person's.
pub(super) fn is_person(word: &[u8]) -> bool {
    PERSONS.iter().any(|known| known.as_bytes() == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_folded_and_short_enough() {
        for (_, words) in WORDS {
            for word in *words {
                assert!(
                    of(word.as_bytes()).is_some() && word.len() <= MAX_WORD_BYTES,
                    "{word}"
                );
            }
        }
        assert_eq!(of(b"mrs"), Some(Cue::Title));
        assert_eq!(of(b"pipeline"), None);
    }
}
