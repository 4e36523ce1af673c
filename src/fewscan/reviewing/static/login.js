import { send } from "./asking.js";

const form = document.getElementById("login");
const wrong = document.getElementById("wrong");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.textContent = "";
  try {
    await send("/api/login", { token: document.getElementById("token").value.trim() });
    location.replace("/");
  } catch (refused) {
    wrong.textContent = refused.message;
  }
});
