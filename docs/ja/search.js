// 日本語の検索：入力された語を、見出しと本文の文字列としてそのまま探す。
//
// mdBook の検索は空白で区切られた単語の先頭しか調べないうえ、日本語の文字を単語とみなさない。そこで、検索の画面は mdBook
// のものを使い、索引を引く部分だけを置き換える。章は多くないので、全文を順に調べても待たされることはない。
"use strict";

(() => {
  if (!window.elasticlunr) {
    return;
  }

  // 語の前後に見せる文字数。
  const CONTEXT = 60;
  // 見つかった場所ごとの重み。
  const WEIGHTS = { title: 10, breadcrumbs: 3, body: 1 };

  const count = (text, term) => text.split(term).length - 1;

  // mdBook は空白で区切られた語を強調するので、見つかった語を空白で囲む。
  const excerpt = (body, term) => {
    const found = body.toLowerCase().indexOf(term);
    if (found < 0) {
      return body.slice(0, 2 * CONTEXT);
    }
    const end = found + term.length;
    const before = body.slice(Math.max(0, found - CONTEXT), found);
    return `${before} ${body.slice(found, end)} ${body.slice(end, end + CONTEXT)}`;
  };

  const score = (doc, terms) => {
    let total = 0;
    for (const term of terms) {
      let found = 0;
      for (const [field, weight] of Object.entries(WEIGHTS)) {
        found += weight * count((doc[field] || "").toLowerCase(), term);
      }
      if (found === 0) {
        return 0; // すべての語を含むものだけを見せる
      }
      total += found;
    }
    return total;
  };

  window.elasticlunr.Index.prototype.search = function search(query) {
    const terms = query.toLowerCase().split(/\s+/).filter((term) => term !== "");
    if (terms.length === 0) {
      return [];
    }
    return Object.entries(this.documentStore.docs)
      .map(([ref, doc]) => ({ ref, doc, score: score(doc, terms) }))
      .filter((result) => result.score > 0)
      .sort((one, other) => other.score - one.score)
      .map(({ ref, doc, score: points }) => ({
        ref,
        score: points,
        doc: { ...doc, body: excerpt(doc.body, terms[0]) },
      }));
  };

  // 検索語の付いた URL で開いたページでは、ここを読み込む前に検索が済んでいることがある。そのときはやり直す。
  // mdBook は同じ語を続けて検索しないので、いったん別の語にする。
  const searchbar = document.getElementById("mdbook-searchbar");
  const term = searchbar ? searchbar.value : "";
  if (term.trim() !== "") {
    for (const value of [`${term} ?`, term]) {
      searchbar.value = value;
      searchbar.dispatchEvent(new Event("keyup"));
    }
  }
})();
