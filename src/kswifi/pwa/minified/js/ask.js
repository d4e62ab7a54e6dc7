/*78b8d1ede1545cf94f1664910f1400bef4fb197fe24397e3dabaf57f27aa28ef*/
import{t as e}from"./i18n.js";import{useState as l}from"./state.js";import{words as g}from"./store.js";import{html as n,Note as v}from"./ui.js";function A({what:t,label:a,hint:$,button:m,quiet:c,send:f,input:u={},children:d}){const[b,s]=l(!1),[o,r]=l("");async function p(i){i.preventDefault(),s(!0),r("");const k=new FormData(i.target).get(t);await f(k.trim()).catch(y=>r(g(y))),s(!1)}return n`<form class="card" onSubmit=${p}>${d}<div class="field"><label for=${t}>${a??e(`ask.${t}`)}</label><input
id=${t}
name=${t}
required
maxlength="40"
autocomplete="off"
spellcheck=${!1}
aria-describedby=${`${t}-hint`}
...${u}
/><span class="small soft" id=${`${t}-hint`}>${$??e(`ask.${t}.hint`)}</span></div>${o&&n`<${v} kind="error" live>${o}<//>`}<button class=${`btn wide ${c?"quiet":""}`} disabled=${b}>${m??e(`ask.${t}.button`)}</button></form>`}export{A as Ask};
