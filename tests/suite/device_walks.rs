//! Long random ways of an owner whose device proves itself, beside a thief who copies the cookie jar and holds no key.
//!
//! `DEVICE_WALKS` says how many, and `DEVICE_SEED` repeats one; a failure prints its seed.

use actix_web::http::StatusCode;
use time::Duration;

use crate::support::{Browser, Device, TestApp};

/// Steps of one way.
const STEPS: usize = 60;

/// One access life, and what is added to it on a bound sign-in.
const ACCESS: Duration = Duration::seconds(15 * 60 + 10);

/// Numbers that look random, and are the same for a seed (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Tells whether a jar opens the dashboard.
async fn opens(jar: &Browser) -> bool {
    let status = jar.get("/dashboard").await.status;
    assert!(status == StatusCode::OK || status == StatusCode::SEE_OTHER, "{status}");
    status == StatusCode::OK
}

async fn walk(seed: u64) {
    println!("DEVICE_SEED={seed}");
    let app = TestApp::start().await;
    let (owner, device) = Device::proved(&app).await;
    let (mut random, mut since_renewal) = (Random(seed), Duration::ZERO);
    // What a crash may bring back, with the challenge of the time; what was copied, and how long ago.
    let mut earlier = vec![(owner.clone(), device.challenge())];
    let mut copies: Vec<(Browser, Duration)> = Vec::new();
    for step in 0..STEPS {
        let passes = Duration::seconds(1 + i64::try_from(random.below(1200)).unwrap());
        app.advance(passes);
        since_renewal += passes;
        for (_, age) in &mut copies {
            *age += passes;
        }
        match random.below(6) {
            // The answer is lost, once or twice.
            0 => {
                let (jar, challenge) = (owner.clone(), device.challenge());
                for _ in 0..=random.below(2) {
                    assert_eq!(device.renew(&owner).await.status, StatusCode::OK, "step {step}");
                    owner.restore(&jar);
                    device.set_challenge(&challenge);
                }
            }
            // The browser crashes, or its profile is put back.
            1 => {
                let index = usize::try_from(random.below(earlier.len() as u64)).unwrap();
                let (jar, challenge) = &earlier[index];
                owner.restore(jar);
                device.set_challenge(challenge);
            }
            // The jar is copied.
            2 => {
                let mut copy = owner.clone();
                copy.address = "203.0.113.9:40000".parse().unwrap();
                copies.push((copy, since_renewal));
            }
            // Every copy is tried, by its cookies and by a proof of some other key.
            3 => {
                for (copy, age) in &copies {
                    assert!(!opens(copy).await || *age <= ACCESS, "step {step}: a copy opens after {age}");
                    let forged = device.renew_with(copy, &Device::new().proof(&device.challenge())).await;
                    assert_eq!(forged.status, StatusCode::FORBIDDEN, "step {step}");
                }
            }
            _ => {}
        }
        // Whatever happened, the owner is in with the next renewal.
        assert_eq!(device.renew(&owner).await.status, StatusCode::OK, "step {step}");
        assert!(opens(&owner).await, "step {step}");
        since_renewal = Duration::ZERO;
        earlier.push((owner.clone(), device.challenge()));
    }
    assert_eq!(app.rows().count_events("refresh_token_replayed"), 0);
    assert_eq!(app.rows().count("sessions"), 1);
}

#[actix_web::test]
async fn the_owner_is_never_out_and_a_copy_never_in_after_one_access_life() {
    match variable("DEVICE_SEED") {
        Some(seed) => walk(seed).await,
        None => {
            for seed in 0..variable("DEVICE_WALKS").unwrap_or(4) {
                walk(seed).await;
            }
        }
    }
}
