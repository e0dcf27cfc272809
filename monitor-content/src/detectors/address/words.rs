//! Words of addresses, in small letters and as the fold leaves them: Latin letters without marks.

use std::sync::LazyLock;

use super::super::context::Words;

/// Ends of an English street's name. Those after the first line are other things as often.
#[rustfmt::skip]
const STREETS: &[&str] = &[
    "street", "st", "avenue", "ave", "boulevard", "blvd", "road", "rd", "lane", "ln", "terrace", "crescent", "cres", "parkway", "pkwy", "highway", "hwy", "turnpike", "expressway", "freeway", "mews", "drive", "dr",
    "court", "ct", "place", "pl", "square", "sq", "circle", "cir", "close", "way", "trail", "trl", "alley", "row", "walk", "gardens", "grove", "hill", "rise", "wharf", "quay", "plaza", "route", "loop", "path", "pike", "park",
    "rue", "broadway", "esplanade", "parade", "gate", "green", "heights", "view", "vale", "mall", "common", "commons", "crossing", "causeway", "bypass",
];
const SURE_STREETS: usize = 21;

/// Words before a street's name, mostly of Romance and Slavic languages.
#[rustfmt::skip]
const LEADS: &[&str] = &[
    "rue", "avenue", "av", "bd", "boulevard", "chemin", "allee", "impasse", "quai", "place", "route", "cours", "passage", "square", "sentier", "faubourg", "voie",
    "via", "viale", "piazza", "piazzale", "corso", "vicolo", "contrada", "largo", "strada", "borgo", "lungomare", "rotonda", "incrocio", "stretto", "canale",
    "calle", "avenida", "avda", "plaza", "paseo", "pasaje", "camino", "ronda", "rambla", "glorieta", "alameda", "callejon", "acceso", "urbanizacion", "cuesta", "vial", "pasadizo", "carrer", "carretera", "travesia", "canada",
    "rua", "praca", "travessa", "jardim", "rodovia", "loteamento", "trecho", "favela", "estacao", "estrada", "viela", "vila", "setor", "quadra", "recanto", "residencial", "sitio", "lagoa", "lago", "ladeira", "condominio", "conjunto",
    "colonia", "chacara", "campo", "aeroporto", "area", "distrito", "esplanada", "feira", "fazenda", "morro", "nucleo", "parque", "patio", "passarela", "vale", "vereda", "viaduto", "alt", "r",
    "ul", "ulica", "al", "aleja", "aleje", "pl", "plac", "os", "osiedle", "rondo", "bulwar", "skwer", "trg", "ulice", "namesti", "nam", "trida", "namestie",
    "bulevardul", "aleea", "drumul", "intrarea", "calea", "soseaua", "str", 
    "ул", "улица", "пр", "проспект", "пер", "переулок", "наб", "ш", "шоссе", "бульвар", "бул", "алл", "пл", "площадь", "вул", "вулиця", "провулок", "просп", "бульв", "набережна", "площа", "узвіз", "шосе",
    "οδός", "λεωφόρος", "λεωφ", "πλατεία",
    "mahallesi", "jalan", "jl", "c",
];

/// Ends of the words for streets in languages that join them: `Hauptstraße`, `Storgatan`, `Taavinbulevardi`.
#[rustfmt::skip]
pub(super) const SUFFIXES: &[&str] = &[
    "strasse", "str", "weg", "gasse", "platz", "allee", "ufer", "damm", "steig", "chaussee", "pfad", "stieg", "graben", "zeile",
    "straat", "laan", "plein", "gracht", "dreef", "singel", "baan", "boulevard", "dijk", "steeg",
    "gatan", "gata", "gaten", "vagen", "vei", "veien", "veg", "vegen", "torget", "stigen", "grand", "gade", "vej", "straede", "alle", "plads", "vaenget", "alleen", "toften", "backen", "brinken", "svingen", "haugen", "grenda", "bakken", 
    "katu", "kuja", "polku", "bulevardi", "puistotie", "kaari", "kulma", "rinne",
    
    
    
];

/// Words after a street's name.
const AFTER: &[&str] = &[
    "utca", "ut", "utja", "ter", "koz", "korut", "setany", "liget", "sugarut", "sokak", "sokagi", "caddesi",
    "cadde", "bulvari", "katu",
];

/// Before the number of a house: `Nr. 7`, `д. 7`, `буд. 3`.
const NUMBERS: &[&str] = &[
    "nr",
    "no",
    "n°",
    "num",
    "numero",
    "c",
    "cp",
    "д",
    "дом",
    "буд",
    "будинок",
    "бл",
    "km",
];

/// Parts of a house.
#[rustfmt::skip]
const UNITS: &[&str] = &[
    "apt", "apartment", "suite", "ste", "unit", "floor", "fl", "flat", "room", "rm", "studio", "piso", "puerta", "esc", "apartamento", "apto", "ap", "appartamento", "piano", "interno", "int", "bl", "bloco", "sc", "et", "etage", "appt", "batiment", "bat", "lok",
    "m", "top", "stiege", "og", "eg", "whg", "кв", "стр", "корп", "к", "оф", "под", "building", "bldg", "box", "level", "lot", "bus", "st", "h", "lgh", "tv", "th", "mf",
];

/// Small words within the names of streets and places.
const PARTICLES: &[&str] = &[
    "de", "da", "do", "dos", "das", "del", "della", "dei", "delle", "di", "la", "le", "les", "las", "los",
    "du", "des", "d", "l", "of", "the", "and", "upon", "on", "in", "am", "an", "im", "der", "den", "dem",
    "zum", "zur", "bei", "van", "von", "aan", "ten", "ter", "y", "e", "sur", "sous", "en", "ved", "i", "na",
    "nad", "pod", "bis", "al", "el",
];

/// What is said before an address.
#[rustfmt::skip]
pub(super) const LABELS: Words = &[
    "address", "addresses", "addr", "street", "lives", "live", "residing", "resides", "residence", "located", "moved", "ship", "shipping", "shipped", "deliver", "delivery", "mailing", "mail", "send", "billing", "domicile", "home",
    "adresse", "adresses", "anschrift", "wohnhaft", "wohnt", "wohne", "wohnort", "lieferadresse", "rechnungsadresse", "postanschrift", "domicilie", "demeurant", "habite", "domicilio", "direccion", "vivo", "vive", "indirizzo", "residente", "abito",
    "endereco", "morada", "moro", "adres", "woonachtig", "adresu", "adrese", "adresi", "adresa", "bydliste", "adress", "osoite", "cim", "cime", "lakcim", "адрес", "адреса", "адресу", "проживает", "διεύθυνση", "alamat", "dia",
    "住所", "地址", "主所", "주소", "पता", "العنوان", "כתובת", "ที่อยู่",
];

/// States and territories of the United States and what the military has in their place; provinces of Canada; states of
/// Australia.
#[rustfmt::skip]
pub(super) const STATES: &[&[u8; 2]] = &[
    b"AL", b"AK", b"AZ", b"AR", b"CA", b"CO", b"CT", b"DE", b"FL", b"GA", b"HI", b"ID", b"IL", b"IN", b"IA", b"KS", b"KY", b"LA", b"ME", b"MD", b"MA", b"MI", b"MN", b"MS", b"MO", b"MT", b"NE", b"NV", b"NH", b"NJ", b"NM", b"NY", b"NC", b"ND",
    b"OH", b"OK", b"OR", b"PA", b"RI", b"SC", b"SD", b"TN", b"TX", b"UT", b"VT", b"VA", b"WA", b"WV", b"WI", b"WY", b"DC", b"AS", b"GU", b"MP", b"PR", b"VI", b"FM", b"MH", b"PW", b"AA", b"AE", b"AP",
];
pub(super) const REGIONS: &[&str] = &["NSW", "VIC", "QLD", "ACT", "TAS", "WA", "SA", "NT"];

/// A word of a list, by a bit each.
pub(super) const STREET: u8 = 1;
/// One of the first [`SURE_STREETS`].
pub(super) const SURE: u8 = 2;
pub(super) const LEAD: u8 = 4;
pub(super) const NUMBER: u8 = 8;
pub(super) const UNIT: u8 = 16;
pub(super) const PARTICLE: u8 = 32;
pub(super) const LAST: u8 = 64;

/// All of the lists in one, sorted by length and bytes.
static ALL: LazyLock<Vec<(&'static [u8], u8)>> = LazyLock::new(|| {
    let (sure, unsure) = STREETS.split_at(SURE_STREETS);
    let lists = [
        (sure, STREET | SURE),
        (unsure, STREET),
        (LEADS, LEAD),
        (NUMBERS, NUMBER),
        (UNITS, UNIT),
        (PARTICLES, PARTICLE),
        (AFTER, LAST),
    ];
    let mut all: Vec<(&[u8], u8)> = Vec::new();
    for (list, bit) in lists {
        for word in list {
            match all.iter_mut().find(|(known, _)| *known == word.as_bytes()) {
                Some((_, bits)) => *bits |= bit,
                None => all.push((word.as_bytes(), bit)),
            }
        }
    }
    all.sort_unstable_by_key(|(word, _)| (word.len(), *word));
    all
});

/// The lists that `word` is in, whatever its capitals and the dot after it.
pub(super) fn lists(word: &[u8]) -> u8 {
    let Some(lower) = Lower::of(word) else {
        return 0;
    };
    let lower = lower.bytes();
    ALL.binary_search_by_key(&(lower.len(), lower), |(known, _)| (known.len(), known))
        .ok()
        .and_then(|at| ALL.get(at))
        .map_or(0, |(_, bits)| *bits)
}

/// Whether `word` ends in one of the list, after three letters at least, or is one.
pub(super) fn ends(list: &[&str], word: &[u8]) -> bool {
    Lower::of(word).is_some_and(|lower| {
        let lower = lower.bytes();
        list.iter().any(|end| {
            lower.ends_with(end.as_bytes()) && (lower.len() == end.len() || lower.len() >= end.len() + 3)
        })
    })
}

/// A word in small letters.
struct Lower {
    bytes: [u8; MAX_WORD_BYTES],
    length: usize,
}

pub(super) const MAX_WORD_BYTES: usize = 40;

impl Lower {
    fn of(word: &[u8]) -> Option<Self> {
        let word = std::str::from_utf8(word).ok()?;
        let mut lower = Self {
            bytes: [0; MAX_WORD_BYTES],
            length: 0,
        };
        for small in word.trim_end_matches('.').chars().flat_map(char::to_lowercase) {
            let room = lower
                .bytes
                .get_mut(lower.length..lower.length + small.len_utf8())?;
            lower.length += small.encode_utf8(room).len();
        }
        Some(lower)
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded() {
        for list in [STREETS, LEADS, SUFFIXES, AFTER, NUMBERS, UNITS, PARTICLES, LABELS] {
            for word in list.iter().filter(|word| word.chars().all(|c| c < '\u{370}')) {
                assert_eq!(crate::Folded::of(word).text(), *word);
            }
        }
        assert_eq!(lists(b"Street"), STREET | SURE);
        assert_eq!(lists(b"ul."), LEAD);
        assert_eq!(lists(b"pipeline"), 0);
    }
}
