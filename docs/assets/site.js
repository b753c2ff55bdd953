// What scrolls inside the page can be scrolled with the keyboard too.
const SCROLLING = ".md-typeset__scrollwrap, .md-typeset pre > code, .md-typeset .strip";
document$.subscribe(() => {
  for (const part of document.querySelectorAll(SCROLLING)) part.tabIndex = 0;
});
