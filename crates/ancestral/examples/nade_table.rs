//! NADE on a table of binary answers: log-probabilities of rows, and imputation of missing answers.

use ancestral::prelude::*;

/// Answers from two groups of people; each person gives the group's answer nine times in ten.
fn answers(n: usize) -> Vec<u8> {
    const KINDS: [[u8; 6]; 2] = [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]];
    let draw = |i: usize, j: usize| (i * 7919 + j * 104_729 + i * j * 31) % 101;
    (0..n)
        .flat_map(|i| {
            let kind = KINDS[draw(i, 17) % 2];
            (0..6).map(move |j| if draw(i, j) < 10 { 1 - kind[j] } else { kind[j] })
        })
        .collect()
}

fn main() -> ancestral::Result<()> {
    let rows = Split { values: Values::Bytes(answers(2000)), labels: None };
    let table = Dataset::new("answers", Domain::Binary, Shape::columns(6), rows, None, None)?;
    let table = table.with_splits(0)?;
    let config = NadeConfig { hidden: 16, ..NadeConfig::default() };
    let training = TrainConfig { epochs: 30, learning_rate: 0.01, ..TrainConfig::default() };
    let nade = Session::new().train(&RunSpec::new(&config, &table).training(&training))?.run;

    // Exact: the probabilities of all 64 rows sum to 1.
    let every = (0..64u32).flat_map(|row| (0..6).map(move |j| f64::from(row >> j & 1))).collect();
    let nats = nade.log_probabilities(&Batch::of(every, 64))?;
    println!("probabilities of all rows sum to {:.6}", nats.iter().map(|l| l.exp()).sum::<f64>());
    let row = |answers: [f64; 6]| -> ancestral::Result<f64> {
        Ok(nade.log_probabilities(&Batch::of(answers.to_vec(), 1))?[0])
    };
    println!("a typical row: {:.2} nats", row([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])?);
    println!("an outlier:   {:.2} nats", row([1.0, 0.0, 1.0, 0.0, 1.0, 0.0])?);

    // The first three answers are given; the others are sampled a thousand times.
    let rows = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0].repeat(1000);
    let given = [true, true, true, false, false, false].repeat(1000);
    let imputed = nade.complete(&rows, &given, 0)?;
    let yes = imputed.iter().skip(5).step_by(6).sum::<f64>() / 1000.0;
    println!("after 1, 1, 1 the last answer is 1 with probability {yes:.2}");
    Ok(())
}
