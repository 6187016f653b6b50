//! Tables as SeaORM sees them. Private: other layers get `domain` types only.

pub(crate) mod user {
    //! The table `users`.

    use domain::{Email, Timestamp, User, UserId, UserName, Violation};
    use sea_orm::entity::prelude::*;

    use crate::PersistenceError;

    // ANCHOR: model
    /// A row of `users`.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) name: String,
        pub(crate) email: String,
        /// In UTC, like every time in the database.
        pub(crate) created_at: DateTime,
        pub(crate) updated_at: DateTime,
        pub(crate) version: i64,
    }
    // ANCHOR_END: model

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    // ANCHOR: try-from
    impl TryFrom<Model> for User {
        type Error = PersistenceError;

        /// Checks the rules again: a row written by hand may break them.
        fn try_from(row: Model) -> Result<Self, PersistenceError> {
            let id = row.id;
            let invalid = |column| move |violation: Violation| PersistenceError::InvalidRow { id, column, violation };
            Ok(Self {
                id: UserId::new(id).map_err(invalid("id"))?,
                name: UserName::parse(&row.name).map_err(invalid("name"))?,
                email: Email::parse(&row.email).map_err(invalid("email"))?,
                created_at: Timestamp::try_from(row.created_at.and_utc()).map_err(invalid("created_at"))?,
                updated_at: Timestamp::try_from(row.updated_at.and_utc()).map_err(invalid("updated_at"))?,
                version: row.version,
            })
        }
    }
    // ANCHOR_END: try-from
}

pub(crate) mod idempotency_key {
    //! The table `idempotency_keys`.

    use sea_orm::entity::prelude::*;

    /// A row of `idempotency_keys`.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency_keys")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) key_hash: String,
        pub(crate) request_hash: String,
        /// Empty only in the transaction that writes the row.
        pub(crate) answer: Vec<u8>,
        /// In UTC, like every time in the database.
        pub(crate) expires_at: DateTime,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod replication_beat {
    //! The table `replication_beats`.

    use sea_orm::entity::prelude::*;

    /// A row of `replication_beats`.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "replication_beats")]
    pub(crate) struct Model {
        /// A process, by a number that it has drawn.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) instance: i64,
        pub(crate) beat: i64,
        /// In UTC, like every time in the database. Only for people, and for forgetting processes that are no more.
        pub(crate) written_at: DateTime,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
