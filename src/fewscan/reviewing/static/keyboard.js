// Whether there is a keyboard: where fingers point, hints at keys stand once one was pressed, which on a screen are letters of a text.

document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.("input:not([type=radio], [type=range]), textarea")) document.documentElement.classList.add("has-keyboard");
});
