//! Words that say that a number is a phone's, or that it is another kind of number.

use crate::detectors::context::Words;

#[rustfmt::skip]
pub(super) const PHONE: Words = &[
    "phone*", "telephone*", "tel", "tell", "cell", "cellphone*", "cellular", "mobile*", "mob", "call", "calling", "callback", "dial*",
    "sms", "whatsapp*", "telegram", "viber", "wechat", "fax*", "hotline", "helpline", "landline", "voicemail", "reach", "contact*", "ph",
    "msisdn", "caller", "texted",
    "telefon*", "mobil", "mobilnummer", "mobiltelefon*", "handy*", "rufnummer*", "festnetz*", "durchwahl", "anruf*", "erreich*", "ruf", "rufen", "kontakt*",
    "telephon*", "portable", "joindre", "appel*",
    "telefono*", "telf", "tfno", "movil*", "celular*", "llam*", "fijo", "contacto",
    "telefone*", "telemovel", "zap", "ligue", "ligar", "contato",
    "cellulare", "cell", "chiam*", "contatt*", "recapito",
    "telefoon*", "bel", "bellen", "mobiel*", "gsm", "tlf*", "mobilnr", "puh", "puhelin*", "komork*", "zadzwo*", "numer",
    "телефон*", "тел", "моб*", "звон*", "позвон*", "факс", "τηλ*", "κινητό*", "phon*", "फोन*", "फ़ोन*", "मोबाइल*", "هاتف", "الهاتف", "جوال", "טלפון", "נייד",
    "电话", "電話", "手机", "手機", "联系", "聯絡", "携帯", "전화", "휴대", "연락", "핸드폰", "โทร",
];

#[rustfmt::skip]
pub(super) const OTHER: Words = &[
    "u", "int", "const", "account*", "acct", "amount", "barcode", "batch", "bytes", "card*", "case", "cas", "checksum", "coordinates", "commit", "customer", "date*", "doi", "ean",
    "gtin", "hash", "iban", "id", "ids", "imei", "imsi", "iccid", "invoice*", "isbn*", "issn", "latitude", "longitude", "license", "licence", "lines", "lot", "member",
    "model", "offset", "order*", "page", "pages", "part", "passport*", "patent", "pid", "pin", "policy", "port", "postal", "price", "ref", "reference", "revision",
    "routing", "seed", "serial*", "sku", "size", "social", "ssn", "swift", "tax", "ticket", "timestamp", "time", "tracking", "transaction", "upc", "uuid", "vat",
    "version*", "vin", "zip", "nhs", "medicare", "sin", "tfn", "abn", "acn", "nino", "npi", "itin", "ein", "aadhaar", "aadhar", "pan",
    "konto*", "kunden*", "bestell*", "rechnung*", "steuer*", "ausweis*", "personalausweis*", "vorgang*", "artikel*",
    "commande", "facture", "compte", "siret", "siren", "securite", "pedido", "factura", "cuenta", "dni", "nif", "nie", "cif", "curp", "rfc", "nss", "cuit", "rut",
    "cpf", "cnpj", "conto", "fattura", "ordine", "codice", "iva", "bsn", "kvk", "btw", "bestelling", "pesel", "nip", "regon", "инн", "снилс", "паспорт*", "заказ*",
    "身份证", "订单", "账号", "番号", "주민", "계좌",
];

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_those_of_folded_text() {
        crate::detectors::context::assert_folded(&[super::PHONE, super::OTHER]);
    }
}
