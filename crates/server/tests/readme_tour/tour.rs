//! The walk through the page.

use persistence::{
    add_sample_users,
    test_db::{TestDatabase, TestEngine},
};

use crate::{blocks, masks::Masks, page, server::Server};

/// Where the page has the server listen.
const ADDRESSES_ON_THE_PAGE: [&str; 2] = ["localhost:8000", "127.0.0.1:8000"];

pub(crate) async fn every_command_of_the_readme_prints_what_the_page_shows(db: TestDatabase) {
    let engine = db.engine();
    let server = if engine == TestEngine::Sqlite {
        // Just like `cargo run`: the program makes its database, with the sample users.
        Server::start(None)
    } else {
        add_sample_users(db.database()).await.unwrap();
        Server::start(Some(db.url()))
    };
    let version = server.bash("curl --version || echo missing");
    assert!(!version.contains("missing"), "the tour needs curl in PATH");

    let page = page("README.md");
    let steps = blocks::steps(&page);
    assert!(steps.len() > 12, "only {} commands were found", steps.len());
    let (mut shown_masks, mut real_masks) = (Masks::default(), Masks::default());
    for step in steps {
        let mut command = shown_masks.translate(&step.command, &real_masks);
        for address in ADDRESSES_ON_THE_PAGE {
            command = command.replace(address, server.address());
        }
        let printed = server.bash(&command);
        let (shown, real) = (shown_masks.apply(&step.output), real_masks.apply(&printed));
        assert!(
            shown == real,
            "README.md:{}: $ {}\n--- the page shows\n{shown}\n--- on {engine} it is\n{real}\n--- unmasked\n{printed}",
            step.line,
            step.command,
        );
    }

    let address = server.address().to_owned();
    let banner = server.stop().await.replace(&address, "127.0.0.1:8000");
    if engine == TestEngine::Sqlite {
        let blocks = blocks::all(&page);
        let shown = blocks.iter().find(|block| block.language == "text").unwrap();
        assert_eq!(shown.text.trim(), banner.trim(), "the page shows another greeting");
    }
}
