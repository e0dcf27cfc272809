use super::*;

const CARD: &str = "pii.credit_card";

/// The test numbers the networks and processors publish.
#[test]
fn every_network() {
    for number in [
        "4111111111111111",
        "4012888888881881",
        "4222222222222",
        "4242424242424242",
        "4000000000000000006",
        "5555555555554444",
        "5105105105105100",
        "2221000000000009",
        "2223003122003222",
        "2720990000000007",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
        "6445644564456445",
        "6500000000000002",
        "30569309025904",
        "36227206271667",
        "38520000023237",
        "3530111333300000",
        "3566002020360505",
        "6200000000000005",
        "6205500000000000004",
        "8171999927660000",
        "5018000000000009",
        "6759649826438453",
        "6304000000000000",
        "2200000000000004",
        "9792000000000003",
    ] {
        finds(CARD, number, number);
        finds(CARD, &format!("card: {number}."), number);
        finds(CARD, &format!("{{\"pan\":\"{number}\"}}"), number);
        finds(CARD, &format!("号码{number}。"), number);
        let wrong = (number.as_bytes().last().unwrap() - b'0' + 1) % 10;
        passes(CARD, &format!("{}{wrong}", &number[..number.len() - 1]));
    }
}

#[test]
fn separators() {
    for written in [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "3782 822463 10005",
        "3782-822463-10005",
        "3056 930902 5904",
        "41111111 11111111",
        "4000 0000 0000 0000 006",
        "411 111 111 111 111 1111".get(..0).unwrap(),
    ] {
        if !written.is_empty() {
            finds(CARD, written, written);
            finds(CARD, &format!("Order 12 4 {written} 12/29 cvv 123"), written);
            finds(CARD, &format!("x\\n{written}\\n"), written);
        }
    }
}

#[test]
fn not_cards() {
    for text in [
        "4111 1111 1111 1112",
        "4111 1111-1111 1111",
        "4111  1111  1111  1111",
        "1 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 2 3 4 5",
        "41 11 11 11 11 11 11 11",
        "0.4111111111111111",
        "4111111111111111.5",
        "+4111111111111111",
        "a4111111111111111",
        "4111111111111111f",
        "44111111111111111111",
        "1234567812345670",
        "0000000000000000",
        "1700000000000",
        "2024-01-15 10:00:00",
        "550e8400-e29b-41d4-a716-446655440000",
        "10.4111.1111.1111.1111",
        "411111111111",
    ] {
        passes(CARD, text);
    }
}

#[test]
fn the_first_and_longest_in_a_row_of_groups() {
    assert_eq!(
        found(&[CARD], "1234 4111 1111 1111 1111 5555 5555 5555 4444 99"),
        [
            (CARD, "4111 1111 1111 1111".to_owned()),
            (CARD, "5555 5555 5555 4444".to_owned())
        ]
    );
}

#[test]
fn found_at_every_offset() {
    for before in 0..60 {
        for filler in ["x ", "- ", "1 ", "é "] {
            let mut text = filler.repeat(before);
            text.push_str(&" ".repeat(before % 13));
            text.push_str("4111111111111111 and more text after it");
            finds(CARD, &text, "4111111111111111");
        }
    }
}
