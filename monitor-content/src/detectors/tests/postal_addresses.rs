use super::*;

const ADDRESS: &str = "pii.postal_address";

/// As the post offices of the countries write them.
#[test]
fn addresses() {
    for address in [
        "1600 Pennsylvania Avenue NW, Washington, DC 20500",
        "12 Main Street, Apt. 4B, Springfield, IL 62701-1234",
        "799 Campbell Mountains Suite 715, Sarahville, MT 78523",
        "10 Downing Street, London SW1A 2AA",
        "Flat 1\nDonald Station\nMilesfurt\nE3 4SE",
        "221 King Road, Toronto, ON, K1A 0B1",
        "200 George Street, Sydney NSW 2000",
        "Hauptstraße 5, 10115 Berlin",
        "Emely-Schöberl-Platz 513\n3420 Gloggnitz",
        "12 bis, rue de la Paix\n75002 Paris",
        "Calle Mayor 5, 28001 Madrid",
        "Via Roma, 12, 00184 Roma (RM)",
        "Keizersgracht 16\n1651 GP Amsterdam",
        "ul. Fredry 60/98\n47-219 Wołomin",
        "Rua Augusta, 250, São Paulo, 01304-001",
        "Storgatan 48\n46739 Trelleborg",
        "Mannerheimkatu 7, 42620 Föglö",
        "József utca 65., H-7644 Nyékhídfa",
        "Bořetínská 46\n777 21 Rokytnice nad Jizerou",
        "вул. Шевченка, буд. 3, Сквира, 88559",
        "P.O. Box 255, Springfield, IL 62701",
        "大分県印西市藤金4丁目9番15号",
        "江苏省旭县城北李路G座 554135",
        "대전광역시 성동구 개포가 지하434",
    ] {
        finds(ADDRESS, address, address);
        finds(ADDRESS, &format!("She lives at {address}."), address);
    }
}

#[test]
fn less_after_a_word_for_an_address() {
    finds(
        ADDRESS,
        "Address: Elm Tower 5, Rivertown",
        "Elm Tower 5, Rivertown",
    );
    passes(ADDRESS, "Elm Tower 5, Rivertown");
}

#[test]
fn no_addresses() {
    for text in [
        "Chapter 5, Section 3",
        "requires Python 2.7.9 or newer, via PEP 658",
        "in 2016 Iain Lane wrote",
        "SSL_CTRL_SET_MAX_SEND_FRAGMENT 52",
        "Ipv4Addr::LOCALHOST, 8080",
        "*c, 0b00_11, 0x5c, 0xff",
        "requiring 6 strings, String 5",
        "Hall 3, 2019 Edition",
        "Windows 10, Ubuntu 22",
        "5 Apples and 3 Pears",
        "Free Software Foundation, Inc., 51 Franklin Street, Fifth Floor, Boston, MA 02110-1301",
        "Table 12, Figure 7",
        "on Monday 5, March 2024",
    ] {
        passes(ADDRESS, text);
    }
}
