//! Checks of Ed25519 keys and signatures that libraries handle differently (RFC 8032 §5.1.7). They run for both backends, so
//! that both accept the same input.

/// The y-coordinates of the points of order 1, 2, 4 and 8, little-endian.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        minus_one
    },
    [0; 32],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// The group order L, little-endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Returns the y-coordinate of an encoded point: clears the sign bit of x.
fn y_coordinate(point: &[u8; 32]) -> [u8; 32] {
    let mut y = *point;
    y[31] &= 0x7f;
    y
}

/// Returns whether y is below the field prime 2^255 - 19.
pub(super) fn is_canonical(point: &[u8; 32]) -> bool {
    let y = y_coordinate(point);
    !(y[0] >= 0xed && y[1..31].iter().all(|byte| *byte == 0xff) && y[31] == 0x7f)
}

/// Returns whether the point has an order of 1, 2, 4 or 8. A signature that verifies with such a key proves nothing.
pub(super) fn is_small_order(point: &[u8; 32]) -> bool {
    SMALL_ORDER_Y.contains(&y_coordinate(point))
}

/// Returns whether R is canonical and not of small order, and S is below L. All values are public, so that constant time is not
/// needed.
pub(super) fn is_acceptable_signature(signature: &[u8]) -> bool {
    let Some((r, s)) = signature.split_first_chunk::<32>() else {
        return false;
    };
    let below_l = s.iter().rev().cmp(L.iter().rev()).is_lt();
    s.len() == 32 && below_l && is_canonical(r) && !is_small_order(r)
}
