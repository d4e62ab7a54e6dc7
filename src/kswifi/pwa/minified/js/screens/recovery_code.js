/*364d1b4c221304d0f12fc664d3e925d5fdd8205b98488840f28a5aaa29bd5ad2*/
import{t as o}from"../i18n.js";import{say as c}from"../store.js";import{CopyButton as i,Heading as n,html as r,Note as l}from"../ui.js";const s=({code:e})=>r`<div class="row"><output class="code grow" aria-label=${e}>${e.split("-").map((t,a)=>r`${a?"-":""}<wbr /><span style="white-space:nowrap">${t}</span>`)}</output><${i} text=${e} label=${o("copy",{what:o("field.recovery_code")})} onDone=${()=>c(o("copied"))} /></div>`,v=({code:e,next:t})=>r`
<${n} title=${o("recovery.title")} lead=${o("recovery.lead")} /><${s} code=${e} /><${l} kind="warning">${o("recovery.once")}<//><div class="act stick"><button class="btn wide" onClick=${t}>${o("recovery.done")}</button></div>
`;export{s as Code,v as RecoveryCode};
